"""How long each question takes and what it may cost in energy, as an estimate.

codecarbon reads the processor's power where the machine shows it and guesses it from the
processor's name and load elsewhere, so its figures are estimates.
"""

import os
import time

import pandas as pd

# codecarbon sets up its log when imported
os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")

from codecarbon import OfflineEmissionsTracker

COUNTRY, REGION = "USA", "georgia"


class EnergyMeter:
    """Measure one question after the other, without the network and without a word.

    Parameters
    ----------
    country, region : str
        Whose electricity mix is reckoned with: ISO 3166 alpha-3 code, and the region's
        name where codecarbon knows it.
    """

    def __init__(self, country: str = COUNTRY, region: str = REGION) -> None:
        self._tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            region=region,
            allow_multiple_runs=True,
            log_level="critical",
            output_methods=[],
            measure_power_secs=5,
        )
        self._rows = []
        self._question = None
        self._started_at = 0.0

    def start(self, question: str) -> None:
        """Begin a question, ending the one before.

        Parameters
        ----------
        question : str
            Its name in the table; a name that came before is measured as a further row.
        """
        self.stop()
        self._question = question
        self._started_at = time.perf_counter()
        self._tracker.start_task(f"{len(self._rows)} {question}")

    def stop(self) -> None:
        """End the question being measured, if there is one."""
        if self._question is None:
            return
        seconds = time.perf_counter() - self._started_at
        used = self._tracker.stop_task()
        self._rows.append(
            {
                "Question": self._question,
                "seconds": seconds,
                "kWh": used.energy_consumed if used else float("nan"),
                "g CO2e": used.emissions * 1000 if used else float("nan"),
            }
        )
        self._question = None

    def table(self) -> pd.DataFrame:
        """Return the questions measured so far and their sum.

        Returns
        -------
        pandas.DataFrame
            Indexed by question; columns seconds, kWh, g CO2e, the last two estimated.
        """
        rows = pd.DataFrame(self._rows, columns=["Question", "seconds", "kWh", "g CO2e"])
        rows = rows.set_index("Question")
        return pd.concat([rows, rows.sum().to_frame("all").T]).rename_axis("Question")
