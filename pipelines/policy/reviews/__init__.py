"""Reviewed source: signed reviews, where they are kept, and how many of them count."""

from pipelines.policy.reviews.count import Counted, ReviewCount, Uncounted, Why, count_reviews
from pipelines.policy.reviews.records import StoredReview, keep_review, read_review, stored_reviews
from pipelines.policy.reviews.subject import Reviewed

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
