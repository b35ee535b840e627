-- What the Consents in force refuse, in the form that every read asks.
-- depends: 0001.fhir-store 0022.search-values-renewed

-- One row per `deny` provision and combination of security labels, kept in step with its Consent
-- in the transaction that writes it. NULL says nothing and so matches everything; of `labels`,
-- keys as in fhir_resource.keys, the record must have all.
CREATE TABLE consent_refusal (
    patient   text COLLATE "C" NOT NULL,
    consent   text COLLATE "C" NOT NULL,
    provision integer NOT NULL,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    actors    text[] COLLATE "C",
    types     text[] COLLATE "C",
    data      text[] COLLATE "C",
    labels    bigint[] NOT NULL DEFAULT '{}',
    reads     boolean NOT NULL,
    changes   boolean NOT NULL,
    purposes  text[] COLLATE "C"
);
CREATE INDEX consent_refusal_patient ON consent_refusal (patient);
CREATE INDEX consent_refusal_consent ON consent_refusal (consent);

-- What is excepted from a refusal.
CREATE TABLE consent_exception (LIKE consent_refusal INCLUDING DEFAULTS);
CREATE INDEX consent_exception_provision ON consent_exception (consent, provision);

-- Security labels are found under a key of their own from now on.
UPDATE fhir_index SET due = EXISTS (SELECT FROM fhir_resource), type = '', after = '';
