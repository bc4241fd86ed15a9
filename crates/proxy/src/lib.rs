//! The request's way.
