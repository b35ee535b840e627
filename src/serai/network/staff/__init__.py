"""Who works here: joiners, movers and leavers from a register; the administrator's pages."""

from serai.network.staff.wording import register

register()
