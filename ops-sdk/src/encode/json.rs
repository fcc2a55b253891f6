//! The JSON form. (Being written.)
