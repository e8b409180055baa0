//! Any byte stream, cut anywhere: frames, envelopes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use recado_proto::frame::{ClientFrame, Envelope, Malformed, ServerFrame};
use recado_proto::framing::FrameSplitter;

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, stream)) = bytes.split_first() else {
        return;
    };
    let mut splitter = FrameSplitter::default();
    for chunk in stream.chunks(usize::from(*cut).max(1)) {
        let pushed = splitter.push(chunk, |frame| {
            if let Some(frame) = ClientFrame::decode(frame)? {
                let mut again = Vec::new();
                frame.clone().encode(&mut again)?;
                assert_eq!(ClientFrame::decode(&again[4..])?, Some(frame));
            }
            Ok::<_, Malformed>(())
        });
        if pushed.is_err() {
            break;
        }
    }
    if let Ok(Some(frame)) = ServerFrame::decode(stream) {
        let mut again = Vec::new();
        if frame.clone().encode(&mut again).is_ok() {
            assert_eq!(ServerFrame::decode(&again[4..]).unwrap(), Some(frame));
        }
    }
    let _ = Envelope::decode(stream);
});
