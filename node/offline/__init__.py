"""Studies in folders, judged as the node would judge them, without a network and a queue.

`analyse_paths` is the one call; `m3node analyse` is its command line.
"""

from node.offline.analyse import AnalysedStudy, Analysis, analyse_paths
from node.offline.gathering import Odd

__all__ = ["AnalysedStudy", "Analysis", "Odd", "analyse_paths"]
