//! Over-long events as numbered parts. (Being written.)
