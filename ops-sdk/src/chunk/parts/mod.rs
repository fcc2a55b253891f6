//! An over-long event as numbered parts, and back.
//!
//! Promises: no part is longer than the limit; UTF-8 text is cut between characters; [`join`] gives back the exact
//! bytes, whatever the order of the parts and however often each was delivered, or says which are missing. Bytes
//! that are not UTF-8 are cut anywhere, and come back as exactly.
//!
//! A part is a header and a piece of the event:
//!
//! ```text
//! @ops.part v1 id=00c0ffee00c0ffee-42 part=2/5 bytes=151204 crc32=8f3a01c4 | …piece…
//!
//! part    = "@ops.part v1 id=" id " part=" number "/" number " bytes=" number " crc32=" hex8 " | " piece
//! id      = hex16 "-" number            ; the record: its process and its number there
//! part    = index from 1 "/" total      ; total is at most 99,999
//! bytes   = length of the whole event   ; in bytes
//! crc32   = CRC-32 of the whole event   ; the one of gzip and Ethernet
//! number  = decimal digits, no leading zero
//! hex16, hex8 = lower-case hexadecimal digits, that many
//! ```
//!
//! `grep '@ops.part v1 id=00c0ffee00c0ffee-42 '` finds every part of one event.
//!
//! **What is a part.** Bytes that begin with a whole header by this grammar; anything else is an event that was never
//! split, and [`join`] hands it on untouched. An event that itself begins with `@ops.part ` is therefore shipped by
//! [`chunk`](super::chunk()) as a part even if it would fit (`part=1/1`), so that it comes back as it was. What is taken
//! for a part without being one is an event that others wrote into the same stream by this very grammar, or one
//! shipped under a limit of so few bytes that no part of it has room.
//!
//! **Which parts belong together.** Those that agree in record, length, digest and total. A part counts once, since a
//! delivery may be repeated; an event that was sent again under another limit is there if either of its splits is
//! whole. A record's over-long items are told apart by length and digest; should two have the same bytes, they come
//! back as one.
//!
//! **Why CRC-32.** The digest has to catch what goes wrong by accident once id, index, total and length agree: a part
//! that was cut by a viewer, or parts of two splits with the same total but different limits. It is no protection
//! against forgery, and no such protection is promised.

mod header;
mod join;
mod split;

#[cfg(test)]
mod tests;

pub use self::header::PARTS_MAX;
pub use self::join::{Gathered, JoinError, Joined, gather, join};
pub use self::split::{Parts, split};

pub(super) use self::header::MARK;
