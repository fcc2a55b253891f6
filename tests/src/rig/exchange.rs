//! One client's connection to the proxy: request after request, each met by its fault.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::fault::Answer;
use super::http::{Body, Framing, Head};
use super::proxy::Shared;
use super::{Fault, Recorded};

/// How long the server behind the proxy may take for one answer.
const UPSTREAM_PATIENCE: Duration = Duration::from_secs(180);

/// What became of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Keep,
    Cut,
}

/// The server's answer: its status and its bytes, and whether their end is that of the connection.
struct Passed {
    status: u16,
    wire: Vec<u8>,
    until_close: bool,
}

/// Serves a connection until either side ends it.
pub(super) fn serve(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut from = BufReader::new(client.try_clone()?);
    loop {
        // Peeked at, not read: to close a socket with unread bytes resets the connection.
        if from.buffer().is_empty() && client.peek(&mut [0])? == 0 {
            return Ok(());
        }
        if shared.cuts_unread() || exchange(shared, &mut from, &mut client)? == After::Cut {
            return Ok(());
        }
    }
}

fn exchange(shared: &Shared, from: &mut BufReader<TcpStream>, client: &mut TcpStream) -> io::Result<After> {
    let Some(head) = Head::read(from)? else { return Ok(After::Cut) };
    if head.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = Body::read(from, head.request_framing())?;
    let (number, fault, releases) = shared.record(Recorded::new(&head, &body));
    match fault {
        Fault::Pass => pass(shared, number, &head, &body, client),
        Fault::Delay(length) if shared.pause(length) => pass(shared, number, &head, &body, client),
        Fault::Answer(answer) => reply(shared, number, &head, &answer, client),
        Fault::CutAnswer => ask(shared, number, &head, &body).map(|_| After::Cut),
        Fault::HalfAnswer => {
            let wire = ask(shared, number, &head, &body)?.wire;
            client.write_all(&wire[..wire.len() / 2]).map(|()| After::Cut)
        }
        Fault::Hang => {
            shared.hang(releases);
            Ok(After::Cut)
        }
        Fault::CutUnsent | Fault::CutUnread | Fault::Delay(_) => Ok(After::Cut),
    }
}

/// Passes the request on and the answer back.
fn pass(
    shared: &Shared,
    number: usize,
    head: &Head,
    body: &Body,
    client: &mut TcpStream,
) -> io::Result<After> {
    let passed = match ask(shared, number, head, body) {
        Ok(passed) => passed,
        Err(error) => {
            let body = format!("the server behind the proxy did not answer: {error}").into_bytes();
            return reply(shared, number, head, &Answer { status: 502, headers: Vec::new(), body }, client);
        }
    };
    shared.amend(number, |request| request.status = Some(passed.status));
    client.write_all(&passed.wire)?;
    Ok(if passed.until_close { After::Cut } else { after(head) })
}

/// Answers in the server's place.
fn reply(
    shared: &Shared,
    number: usize,
    head: &Head,
    answer: &Answer,
    client: &mut TcpStream,
) -> io::Result<After> {
    shared.amend(number, |request| request.status = Some(answer.status));
    client.write_all(&answer.to_wire())?;
    Ok(after(head))
}

/// Asks the server, over a connection of its own: a kept one could have gone stale, and a fault must never come
/// from the proxy's own doing.
fn ask(shared: &Shared, number: usize, head: &Head, body: &Body) -> io::Result<Passed> {
    let mut server = TcpStream::connect(&shared.upstream)?;
    server.set_read_timeout(Some(UPSTREAM_PATIENCE))?;
    server.set_nodelay(true)?;
    server.write_all(&[&head.to_wire()[..], &body.wire].concat())?;
    let mut from = BufReader::new(server);
    let answer = loop {
        let answer = Head::read(&mut from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        // Interim answers such as "100 Continue" were given to the client already.
        if answer.status() >= 200 {
            break answer;
        }
    };
    let framing = answer.answer_framing(head.word(0));
    let content = Body::read(&mut from, framing)?;
    shared.amend(number, |request| request.upstream_status = Some(answer.status()));
    let wire = [answer.to_wire(), content.wire].concat();
    Ok(Passed { status: answer.status(), wire, until_close: framing == Framing::UntilClose })
}

/// Whether the client wants to go on with this connection.
fn after(head: &Head) -> After {
    let closes = head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    if closes || head.start.ends_with("HTTP/1.0") { After::Cut } else { After::Keep }
}
