//! Exact, bounded decimal arithmetic.
