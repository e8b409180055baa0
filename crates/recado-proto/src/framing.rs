//! Frames on a byte stream: a 4-byte big-endian length, then that many bytes.

use crate::limits::MAX_FRAME;

/// Bytes of the length before each frame.
const LENGTH: usize = 4;

/// A length that no frame has. The stream cannot be read on after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a frame of {length} bytes; the most is {MAX_FRAME}")]
pub struct FrameTooLong {
    /// The length that was announced, in bytes.
    pub length: usize,
}

/// Appends to `out` the frame that `write` fills.
///
/// # Errors
/// [`FrameTooLong`], and `out` is as it was.
pub fn encode_frame(out: &mut Vec<u8>, message: &impl prost::Message) -> Result<(), FrameTooLong> {
    let length = message.encoded_len();
    let prefix = u32::try_from(length)
        .ok()
        .filter(|_| length <= MAX_FRAME)
        .ok_or(FrameTooLong { length })?;
    out.reserve(length.saturating_add(LENGTH));
    out.extend_from_slice(&prefix.to_be_bytes());
    // A Vec grows as needed, so encoding into it has no error.
    message.encode_raw(out);
    Ok(())
}

/// Cuts a byte stream into frames. Holds nothing while the stream stands at a frame's end.
#[derive(Default, Debug)]
pub struct FrameSplitter {
    partial: Vec<u8>,
}

impl FrameSplitter {
    /// Takes the next bytes of the stream, and hands each whole frame, without its length, to `take`.
    /// A frame wholly inside `bytes` is not copied.
    ///
    /// # Errors
    /// What `take` returns; and [`FrameTooLong`], before a byte of that frame is kept.
    pub fn push<E: From<FrameTooLong>>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.partial.is_empty() {
                if let Some((frame, rest)) = split_frame(bytes)? {
                    take(frame)?;
                    bytes = rest;
                    continue;
                }
                self.partial.extend_from_slice(bytes);
                return Ok(());
            }
            // Complete first the length, then the frame that it announces.
            let wanted = match announced_length(&self.partial)? {
                None => LENGTH,
                Some(length) => LENGTH.saturating_add(length),
            };
            let missing = wanted.saturating_sub(self.partial.len());
            let (head, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial.extend_from_slice(head);
            bytes = rest;
            if let Some((frame, _)) = split_frame(&self.partial)? {
                take(frame)?;
                // Gives the memory back: most sessions are idle most of the time.
                self.partial = Vec::new();
            }
        }
        Ok(())
    }

    /// Whether the stream stands inside a frame, so that its end now would cut one.
    pub fn is_mid_frame(&self) -> bool {
        !self.partial.is_empty()
    }
}

/// The length announced at the start of `bytes`, if all of it is there.
fn announced_length(bytes: &[u8]) -> Result<Option<usize>, FrameTooLong> {
    let Some(prefix) = bytes.first_chunk::<LENGTH>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
    if length > MAX_FRAME {
        return Err(FrameTooLong { length });
    }
    Ok(Some(length))
}

/// A frame, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first whole frame of `bytes`, if it is there.
fn split_frame(bytes: &[u8]) -> Result<Option<Split<'_>>, FrameTooLong> {
    let Some(length) = announced_length(bytes)? else {
        return Ok(None);
    };
    Ok(bytes
        .get(LENGTH..)
        .and_then(|rest| rest.split_at_checked(length)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameTooLong> {
        let mut splitter = FrameSplitter::default();
        let mut frames = Vec::new();
        for chunk in chunks {
            splitter.push(chunk, |frame| {
                frames.push(frame.to_vec());
                Ok::<_, FrameTooLong>(())
            })?;
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_any_cutting(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
            cuts in prop::collection::vec(1usize..40, 1..200),
        ) {
            let mut stream = Vec::new();
            for frame in &frames {
                stream.extend_from_slice(&(frame.len() as u32).to_be_bytes());
                stream.extend_from_slice(frame);
            }
            let mut chunks = Vec::new();
            let (mut rest, mut cuts) = (stream.as_slice(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            prop_assert_eq!(split(&chunks).unwrap(), frames);
        }
    }

    #[test]
    fn a_frame_too_long_is_refused_at_its_length() {
        let length = MAX_FRAME + 1;
        let prefix = (length as u32).to_be_bytes();
        assert_eq!(split(&[&prefix]), Err(FrameTooLong { length }));
        assert_eq!(
            split(&[&prefix[..2], &prefix[2..]]),
            Err(FrameTooLong { length })
        );
        assert_eq!(
            split(&[&[0xff; 4]]),
            Err(FrameTooLong {
                length: 0xffff_ffff
            })
        );
    }

    #[test]
    fn nothing_is_held_between_frames() {
        let mut splitter = FrameSplitter::default();
        for chunk in [&[0, 0][..], &[0, 2, 1], &[2]] {
            splitter.push(chunk, |_| Ok::<_, FrameTooLong>(())).unwrap();
        }
        assert!(!splitter.is_mid_frame());
        assert_eq!(splitter.partial.capacity(), 0);
    }
}
