//! Plays a transcript to a channel.

use tm_proto::{
    at::{Channel, Command, Output, Reply},
    sim7600::Urc,
};

/// One exchange of a transcript: what we send and the lines that came until the next one.
pub(crate) type Exchange = (String, Vec<String>);

pub(crate) fn exchanges(transcript: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in transcript.lines().skip(1) {
        match line.strip_prefix("> ") {
            Some(command) => exchanges.push((command.to_owned(), Vec::new())),
            None => exchanges.last_mut().unwrap().1.push(line.to_owned()),
        }
    }
    exchanges
}

/// How the module's lines reach us. `noise` stands before, between and in front of them.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    echo: bool,
    bytewise: bool,
    noise: bool,
}

pub(crate) const PLAIN: Line = Line {
    echo: false,
    bytewise: false,
    noise: false,
};

pub(crate) fn play(transcript: &str, line: Line) -> (Vec<Reply>, Vec<String>) {
    let mut channel = Channel::default();
    let (mut replies, mut urcs) = (Vec::new(), Vec::new());
    for (command, lines) in exchanges(transcript) {
        let sent = channel.start(Command::new(&command).unwrap()).unwrap();
        assert_eq!(sent, format!("{command}\r").into_bytes());
        let mut bytes = Vec::new();
        if line.echo {
            bytes.extend(&sent);
        }
        for text in lines {
            if line.noise {
                bytes.extend(b"\r\n\x00\xff\x80 \r\n");
            }
            bytes.extend(b"\r\n");
            if line.noise {
                bytes.extend(b"\xfe\x03");
            }
            let Some(payload) = text.strip_prefix(">> ") else {
                bytes.extend(text.as_bytes());
                bytes.extend(b"\r\n");
                continue;
            };
            bytes.extend(b"> ");
            feed(&mut channel, &std::mem::take(&mut bytes), line.bytewise);
            assert_eq!(channel.next(), Some(Output::Prompt), "{command}");
            let payload = channel.payload(payload);
            if line.echo {
                bytes.extend(payload);
            }
        }
        if line.noise {
            bytes.extend(b"\r\n\xff\x01\r\n");
        }
        feed(&mut channel, &bytes, line.bytewise);
        while let Some(output) = channel.next() {
            match output {
                Output::Reply(reply) => replies.push(reply),
                Output::Urc(text) => urcs.push(text),
                other => panic!("{other:?}"),
            }
        }
        assert!(!channel.is_busy(), "{command} was not answered");
    }
    (replies, urcs)
}

/// The replies of a transcript; they must not depend on how the bytes arrive.
pub(crate) fn replies(transcript: &str) -> Vec<Reply> {
    let expected = play(transcript, PLAIN);
    for echo in [false, true] {
        for bytewise in [false, true] {
            for noise in [false, true] {
                assert_eq!(
                    play(
                        transcript,
                        Line {
                            echo,
                            bytewise,
                            noise
                        }
                    ),
                    expected
                );
            }
        }
    }
    assert_eq!(expected.0.len(), exchanges(transcript).len());
    expected.0
}

fn feed(channel: &mut Channel, bytes: &[u8], bytewise: bool) {
    if bytewise {
        for byte in bytes {
            channel.feed(&[*byte]);
        }
    } else {
        channel.feed(bytes);
    }
}

/// The unsolicited lines of a transcript as values.
pub(crate) fn urcs(transcript: &str) -> Vec<Urc> {
    let (_, lines) = play(transcript, PLAIN);
    lines.iter().map(|line| Urc::parse(line)).collect()
}

macro_rules! transcript {
    ($name:literal) => {
        include_str!(concat!("../transcripts/", $name, ".txt"))
    };
}
pub(crate) use transcript;
