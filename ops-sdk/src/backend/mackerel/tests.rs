//! What is sent, and what becomes of it.
