//! The journal. (Being written.)
