"""Deep-learning radiomics studies on X-rays. Research use only; not a medical device."""

__version__ = "0.1.0"
