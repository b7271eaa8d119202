"""Question 5's rival: ``model.predict`` for each character."""

import numpy as np

from benchmarks.rival_modules import reference


class TextGenerator(reference("text_generator").TextGenerator):
    """The generator of Question 5, asking Keras for each character."""

    def generate(self, model, seed_text, length=150, temperature=0.5):
        """Print text that continues a prompt."""
        window = self._first_window(seed_text)
        print(f"----- {model.model_name} Model -----")
        print(f"Prompt: {seed_text}")
        print("Model: ", end="")
        for _ in range(length):
            probabilities = model.model.predict(window[np.newaxis], verbose=0)[0]
            index = self.sample(probabilities, temperature)
            print(self.indices_char[index], end="", flush=True)
            window = np.append(window[1:], index)
        print()
