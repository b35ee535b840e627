"""The record with every capability's rules: whoever writes, from whatever process, they hold.

Nothing of the web is loaded for it, so that processes without pages stay small.
"""

from __future__ import annotations

from serai.care.consultation import register_guards as keep_consultations
from serai.fhir.store import FhirStore
from serai.fhir.subscriptions.guarding import register_guards as register_subscriptions
from serai.fhir.terminology.keeping import register_guards as keep_terminology
from serai.fhir.terminology.modifiers import expand
from serai.imaging.analysis.following import register_guards as follow_studies
from serai.platform.settings import Settings


def fhir_store(settings: Settings) -> FhirStore:
    """The store as every process of this server writes through it."""
    store = FhirStore(base=f"{settings.public_url}/fhir")
    keep_consultations(store)
    keep_terminology(store)
    store.expand = expand
    register_subscriptions(store, hosts=settings.subscription_hosts)
    follow_studies(store)
    return store
