//! The binary form. (Being written.)
