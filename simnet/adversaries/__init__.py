"""Dishonest nodes, one kind in each file."""

from collections.abc import Mapping

from simnet.adversaries.beacon_grinder import BeaconGrinder
from simnet.adversaries.behaviour import Behaviour
from simnet.adversaries.canceller import Canceller
from simnet.adversaries.censor import Censor
from simnet.adversaries.closing_equivocator import ClosingEquivocator
from simnet.adversaries.collude_program import ColludeProgram
from simnet.adversaries.collude_program_text import ColludeProgramText
from simnet.adversaries.collude_program_true import ColludeProgramTrue
from simnet.adversaries.collude_same_answer import ColludeSameAnswer
from simnet.adversaries.collude_split import ColludeSplit
from simnet.adversaries.commitment_copier import CommitmentCopier
from simnet.adversaries.copier import Copier
from simnet.adversaries.dead_seat import DeadSeat
from simnet.adversaries.decliner import Decliner
from simnet.adversaries.equivocator import Equivocator
from simnet.adversaries.favourite_stopper import FavouriteStopper
from simnet.adversaries.first_slot import FirstSlot
from simnet.adversaries.flooder import Flooder
from simnet.adversaries.forger import Forger
from simnet.adversaries.inverse import Inverse
from simnet.adversaries.late import Late
from simnet.adversaries.lazy import Lazy
from simnet.adversaries.peeker import Peeker
from simnet.adversaries.place_filler import PlaceFiller
from simnet.adversaries.replayer import Replayer
from simnet.adversaries.report_censor import ReportCensor
from simnet.adversaries.report_contradictor import ReportContradictor
from simnet.adversaries.report_liar import ReportLiar
from simnet.adversaries.silent_seat import SilentSeat
from simnet.adversaries.sleeper import Sleeper
from simnet.adversaries.split_equivocator import SplitEquivocator
from simnet.adversaries.sybil import Sybil
from simnet.adversaries.sybil_host import SybilHost
from simnet.adversaries.withholder import Withholder

TESTERS = (ReportLiar, ReportContradictor, ColludeProgram, ColludeProgramText, ColludeProgramTrue)
"""Kinds that lie in reports: they differ from honest nodes only where answers are tested."""

ACCURACY = (Lazy, FirstSlot, Inverse, ColludeSameAnswer, ColludeSplit, Sleeper, Sybil, SybilHost, Copier, *TESTERS)
"""Kinds that keep to the protocol and attack the choice of the answer."""

PROTOCOL = (Equivocator, SplitEquivocator, Withholder, CommitmentCopier, Replayer, Forger, Flooder, Late, Peeker)
"""Kinds that break rules as members."""

CROWDING = (PlaceFiller, SilentSeat, DeadSeat, Decliner)
"""Kinds that break no rule but take resources that others need: working places, seats, time."""

REQUESTERS = (Censor, ReportCensor, ClosingEquivocator, Canceller, FavouriteStopper, BeaconGrinder)
"""Kinds that break rules as requesters."""

KINDS: Mapping[str, type[Behaviour]] = {kind.KIND: kind for kind in (*ACCURACY, *PROTOCOL, *CROWDING, *REQUESTERS)}
"""All kinds by the name that scenarios and `--byzantine` use."""
