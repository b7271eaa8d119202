"""All mutants, in the order of the rubric, and the right submissions in an unusual form."""

from autograder.mutants import of_forest, of_images, of_nn, of_recurrent
from autograder.mutants.submission import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *of_nn.MUTANTS,
    *of_images.MUTANTS,
    *of_forest.MUTANTS,
    *of_recurrent.MUTANTS,
)
