//! The streams of `Exec` and `Attach`: Kubernetes' remote command protocol, `v4.channel.k8s.io`, over
//! [WebSocket](https://www.rfc-editor.org/rfc/rfc6455).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::result::{Doing, Res};
use crate::text::brief;

const PATIENCE: Duration = Duration::from_secs(10);

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;

pub(crate) struct Stream {
    socket: TcpStream,
    pub(crate) out: String,
    pub(crate) err: String,
    status: Value,
}

impl Stream {
    /// Opens what `Exec` or `Attach` gave the address of.
    pub(super) fn open(url: &str) -> Res<Stream> {
        let rest = url.strip_prefix("http://").doing(url)?;
        let (host, path) = rest.split_once('/').doing(url)?;
        let mut socket = TcpStream::connect(host).doing(url)?;
        socket.set_read_timeout(Some(PATIENCE)).doing(url)?;
        let key = "c2tlcCBpcyBhIGJhc2tldA==";
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).doing(url)?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).doing("the answer to the upgrade")?;
            answer.extend(byte);
        }
        let answer = String::from_utf8_lossy(&answer);
        if !answer.starts_with("HTTP/1.1 101") {
            return Err(format!("{url}: {}", brief(&answer, 300)));
        }
        Ok(Stream { socket, out: String::new(), err: String::new(), status: Value::Null })
    }

    pub(crate) fn types(&mut self, text: &str) -> Res {
        // Small enough for the length of a frame to have two bytes.
        text.as_bytes().chunks(32 << 10).try_for_each(|part| self.send(STDIN, part))
    }

    pub(crate) fn resize(&mut self, rows: u16, columns: u16) -> Res {
        self.send(RESIZE, format!("{{\"Width\":{columns},\"Height\":{rows}}}").as_bytes())
    }

    /// One binary message. The mask of zeros leaves it as it is.
    fn send(&mut self, channel: u8, text: &[u8]) -> Res {
        let length = (text.len() + 1) as u16;
        let mut frame = vec![0x82, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.push(channel);
        frame.extend(text);
        self.socket.write_all(&frame).doing("write to the stream")
    }

    /// Reads until stdout has this; what came up to it is taken out.
    pub(crate) fn until(&mut self, text: &str) -> Res<String> {
        loop {
            if let Some(at) = self.out.find(text) {
                let rest = self.out.split_off(at + text.len());
                return Ok(std::mem::replace(&mut self.out, rest));
            }
            if !self.receive()? {
                return Err(format!("no `{text}` in `{}`", brief(&self.out, 300)));
            }
        }
    }

    /// Reads to the end, and gives the exit status.
    pub(crate) fn end(&mut self) -> Res<i32> {
        while self.receive()? {}
        match self.status["status"].as_str() {
            Some("Success") => Ok(0),
            _ => {
                let code = self.status["details"]["causes"][0]["message"].as_str();
                let words = self.status.to_string();
                code.and_then(|code| code.parse().ok()).doing(&words)
            }
        }
    }

    /// Takes one message; false at the end.
    fn receive(&mut self) -> Res<bool> {
        let mut head = [0; 2];
        if self.socket.read_exact(&mut head).is_err() {
            return Ok(false);
        }
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.take()?)),
            127 => u64::from_be_bytes(self.take()?),
            short => short.into(),
        };
        let mut text = vec![0; length as usize];
        self.socket.read_exact(&mut text).doing("read from the stream")?;
        // The opcodes of data are 0 to 2; 8 ends it.
        if head[0] & 0x0f > 2 {
            return Ok(head[0] & 0x0f != 8);
        }
        let Some((&channel, text)) = text.split_first() else {
            return Ok(true);
        };
        let text = String::from_utf8_lossy(text);
        match channel {
            STDOUT => self.out += &text,
            STDERR => self.err += &text,
            STATUS if !text.is_empty() => {
                self.status = serde_json::from_str(&text).doing(&text)?;
            }
            _ => (),
        }
        Ok(true)
    }

    fn take<const N: usize>(&mut self) -> Res<[u8; N]> {
        let mut bytes = [0; N];
        self.socket.read_exact(&mut bytes).doing("read from the stream")?;
        Ok(bytes)
    }
}
