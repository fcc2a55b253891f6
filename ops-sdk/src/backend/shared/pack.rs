//! Compression of what is written whole: gzip, which everything reads, or zstd, which is smaller and faster. The same
//! bytes always make the same bytes.

use std::io::{self, Write};

use flate2::write::GzEncoder;

use super::setting;
use crate::backend::Context;
use crate::error::Error;

/// How files and objects are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, level 6: a tenth of JSON lines' bytes or so, read by everything.
    #[default]
    Gzip,
    /// zstd, level 3: smaller than gzip in a fraction of its time, read by Athena, Spark, DuckDB and newer agents.
    Zstd,
}

impl Compression {
    /// What the name of a file ends with.
    pub(in crate::backend) fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }
}

/// What the program said, else the variable, else `default`.
///
/// # Errors
///
/// If the variable names none.
pub(in crate::backend) fn compression(
    told: Option<Compression>,
    variable: &str,
    default: Compression,
    context: &Context,
) -> Result<Compression, Error> {
    match (told, setting(None, variable, context).as_deref()) {
        (Some(told), _) => Ok(told),
        (None, None) => Ok(default),
        (None, Some("none")) => Ok(Compression::None),
        (None, Some("gzip")) => Ok(Compression::Gzip),
        (None, Some("zstd")) => Ok(Compression::Zstd),
        (None, Some(other)) => {
            Err(Error::setting(variable, format!("\"{other}\" is no compression"), "use gzip, zstd or none"))
        }
    }
}

/// Compresses what is written into it.
pub(in crate::backend) enum Packer<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
}

impl<W: Write> Packer<W> {
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(in crate::backend) fn new(compression: Compression, to: W) -> io::Result<Packer<W>> {
        Ok(match compression {
            Compression::None => Packer::Plain(to),
            Compression::Gzip => Packer::Gzip(GzEncoder::new(to, flate2::Compression::default())),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(to, 3)?;
                encoder.include_checksum(true)?; // gzip has one of its own
                Packer::Zstd(encoder)
            }
        })
    }

    /// Writes what is left and gives back where it all went.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(in crate::backend) fn finish(self) -> io::Result<W> {
        match self {
            Packer::Plain(to) => Ok(to),
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packer::Plain(to) => to.write(bytes),
            Packer::Gzip(encoder) => encoder.write(bytes),
            Packer::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packer::Plain(to) => to.flush(),
            Packer::Gzip(encoder) => encoder.flush(),
            Packer::Zstd(encoder) => encoder.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::tests::context;
    use super::*;

    fn packed(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        let mut packer = Packer::new(compression, Vec::new()).unwrap();
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_is_packed_is_unpacked_and_is_the_same_each_time() {
        let text = "a line\n".repeat(10_000);
        let gzip = packed(Compression::Gzip, text.as_bytes());
        let mut unzipped = String::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_string(&mut unzipped).unwrap();
        let zstd = packed(Compression::Zstd, text.as_bytes());
        assert_eq!(unzipped, text);
        assert_eq!(zstd::decode_all(&zstd[..]).unwrap(), text.as_bytes());
        assert_eq!(packed(Compression::None, b"x"), b"x");
        assert!(gzip.len() < text.len() / 10 && zstd.len() < text.len() / 10);
        assert_eq!(packed(Compression::Gzip, text.as_bytes()), gzip);
        assert_eq!(packed(Compression::Zstd, text.as_bytes()), zstd);
    }

    #[test]
    fn the_setting_names_one() {
        let find = |told, text: &str| compression(told, "V", Compression::Gzip, &context(&[("V", text)]));
        assert_eq!(find(None, "zstd").unwrap(), Compression::Zstd);
        assert_eq!(find(None, " ").unwrap(), Compression::Gzip);
        assert_eq!(find(Some(Compression::None), "zstd").unwrap(), Compression::None);
        assert!(find(None, "zip").unwrap_err().to_string().starts_with("V: \"zip\" is no compression"));
    }
}
