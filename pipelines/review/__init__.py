"""Reviewed source: signed reviews, where they are kept, and how many of them count."""

from pipelines.review.count import Counted, ReviewCount, Uncounted, Why, count_reviews
from pipelines.review.records import StoredReview, keep_review, read_review, stored_reviews
from pipelines.review.subject import Reviewed

__all__ = [
    "Counted",
    "ReviewCount",
    "Reviewed",
    "StoredReview",
    "Uncounted",
    "Why",
    "count_reviews",
    "keep_review",
    "read_review",
    "stored_reviews",
]
