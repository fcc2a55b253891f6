//! Frames of AMQP 0-9-1: written whole, and read out of what has come so far. Knows the grammar and no course of events.

/// The kinds of frame that are used here (AMQP 0-9-1, 4.2.3).
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;
/// What every frame ends with.
const END: u8 = 0xce;
/// Kind, channel and length before the payload, and the end behind it.
pub(super) const AROUND_BYTES: usize = 8;
const HEAD_BYTES: usize = 7;

/// Content-type, delivery-mode, correlation-id and message-id: the properties of what is published here.
const PROPERTIES: u16 = 1 << 15 | 1 << 12 | 1 << 10 | 1 << 7;
const CONTENT_TYPE: &str = "application/json";
/// The class of messages.
const BASIC: u16 = 60;

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
}

/// The first frame of these bytes and how many it has; `None` if it has not come to its end.
///
/// # Errors
///
/// If these bytes are no frame, or one that is longer than was agreed.
pub(super) fn read(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<(Frame<'_>, usize)>, String> {
    let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [kind, _, _, a, b, c, d] = *head;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > frame_bytes_max || !matches!(kind, METHOD | HEADER | BODY | HEARTBEAT) {
        return Err(format!("it does not speak AMQP 0-9-1: {:?}", String::from_utf8_lossy(&head[..])));
    }
    let Some(rest) = bytes[HEAD_BYTES..].get(..=length) else { return Ok(None) };
    match rest[length] {
        END => Ok(Some((Frame { kind, payload: &rest[..length] }, length + AROUND_BYTES))),
        _ => Err("it does not speak AMQP 0-9-1: a frame without its end".to_owned()),
    }
}

/// Appends a frame on a channel; `write` appends its payload.
pub(super) fn write(out: &mut Vec<u8>, kind: u8, channel: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    let length = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    #[allow(clippy::cast_possible_truncation)] // frames are bounded by what was agreed, some 128 KiB
    let payload = (out.len() - length - 4) as u32;
    out[length..length + 4].copy_from_slice(&payload.to_be_bytes());
    out.push(END);
}

/// Appends a method.
pub(super) fn method(out: &mut Vec<u8>, channel: u16, id: (u16, u16), arguments: impl FnOnce(&mut Vec<u8>)) {
    write(out, METHOD, channel, |out| {
        out.extend_from_slice(&id.0.to_be_bytes());
        out.extend_from_slice(&id.1.to_be_bytes());
        arguments(out);
    });
}

/// Appends what publishes a body to an exchange: it is given back if no queue takes it.
pub(super) fn publish(
    out: &mut Vec<u8>,
    exchange: &str,
    tag: u64,
    message_id: &str,
    body: &[u8],
    frame_bytes_max: usize,
) {
    const MANDATORY: u8 = 1;
    method(out, 1, (BASIC, 40), |out| {
        out.extend_from_slice(&[0, 0]);
        short(out, exchange);
        short(out, "");
        out.push(MANDATORY);
    });
    write(out, HEADER, 1, |out| {
        out.extend_from_slice(&BASIC.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        out.extend_from_slice(&PROPERTIES.to_be_bytes());
        short(out, CONTENT_TYPE);
        out.push(2); // to be kept where the queue is
        short(out, &tag.to_string());
        short(out, message_id);
    });
    for part in body.chunks(frame_bytes_max - AROUND_BYTES) {
        write(out, BODY, 1, |out| out.extend_from_slice(part));
    }
}

/// The tag of a message of ours that was given back, out of the frame of its properties.
pub(super) fn returned_tag(payload: &[u8]) -> Option<u64> {
    let mut rest = Reader(payload.get(12..)?);
    if rest.u16()? != PROPERTIES {
        return None;
    }
    rest.short()?;
    rest.u8()?;
    rest.short()?.parse().ok()
}

/// Appends a short string, cut at what it may have.
pub(super) fn short(out: &mut Vec<u8>, text: &str) {
    let end = (0..=text.len().min(255)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    #[allow(clippy::cast_possible_truncation)] // 255 at most
    out.push(end as u8);
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// Appends a long string, or a table that was written.
pub(super) fn long(out: &mut Vec<u8>, bytes: &[u8]) {
    #[allow(clippy::cast_possible_truncation)] // texts of ours
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads arguments; `None` where there are none left.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn short(&mut self) -> Option<String> {
        let length = self.u8()?;
        self.take(length.into()).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_frame_by_frame() {
        let mut out = Vec::new();
        publish(&mut out, "results", 42, "id", &[b'x'; 100], 48);
        let (mut rest, mut frames) = (&out[..], Vec::new());
        while let Some((frame, bytes)) = read(rest, 200).unwrap() {
            frames.push((frame.kind, frame.payload.len()));
            if frame.kind == HEADER {
                assert_eq!(returned_tag(frame.payload), Some(42));
                assert_eq!(returned_tag(&frame.payload[..20]), None);
            }
            rest = &rest[bytes..];
        }
        assert!(rest.is_empty());
        assert_eq!(frames[0], (METHOD, 2 + 2 + 2 + 8 + 1 + 1));
        assert_eq!(frames[2..], [(BODY, 40), (BODY, 40), (BODY, 20)]);
    }

    #[test]
    fn what_is_no_frame_is_told_and_what_is_none_yet_is_waited_for() {
        let mut out = Vec::new();
        write(&mut out, HEARTBEAT, 0, |_| {});
        assert_eq!(out, [8, 0, 0, 0, 0, 0, 0, 0xce]);
        for end in 0..out.len() {
            assert_eq!(read(&out[..end], 100), Ok(None));
        }
        assert!(read(b"HTTP/1.1 400 Bad Request", 100).is_err());
        assert!(read(b"AMQP\x00\x00\x09\x01", 100).is_err());
        assert!(read(&[1, 0, 0, 0, 0, 0, 200, 0], 100).is_err());
        assert!(read(&[8, 0, 0, 0, 0, 0, 0, 0], 100).is_err());
    }

    #[test]
    fn a_short_string_is_cut_between_characters() {
        let mut out = Vec::new();
        short(&mut out, &"é".repeat(200));
        assert_eq!((out[0], out.len()), (254, 255));
        assert_eq!(Reader(&out).short().unwrap().len(), 254);
        assert_eq!(Reader(&[3, b'a']).short(), None);
    }
}
