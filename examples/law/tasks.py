# A job per file, and one result: PYTHONPATH=. law run tasks.MergePeaks --workers 4 --local-scheduler
# The same command continues: finished jobs, and finished chunks of jobs that were stopped, are not repeated.
import subprocess
from pathlib import Path

import law

RESULTS = Path("results").resolve()  # law needs absolute paths


class FindPeaks(law.LocalWorkflow):
    def create_branch_map(self):
        return sorted(map(str, Path("data").resolve().glob("*.root")))

    def output(self):  # the summary is written last: it stands for complete results
        return law.LocalFileTarget(RESULTS / Path(self.branch_data).stem / "summary.json")

    def run(self):
        options = ["--file", f"{self.branch_data}:Events", "--output", self.output().dirname, "--redo-changed"]
        subprocess.run(["hep-peaksum", "run", "peaksum.yaml", *options], check=True)


class MergePeaks(law.Task):
    def requires(self):
        return FindPeaks.req(self)

    def output(self):
        return law.LocalFileTarget(RESULTS / "all" / "summary.json")

    def run(self):
        jobs = [target.dirname for target in self.input()["collection"].targets.values()]
        subprocess.run(["hep-peaksum", "merge", *jobs, "-o", self.output().dirname, "--restart"], check=True)
