//! A TCP port that can be shut and opened again without losing its number.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::sleep,
};

/// Listens, or holds its number without listening: then connections are refused.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    Listening(TcpListener),
    /// Bound but not listening: nobody else gets the number meanwhile.
    Held(#[expect(dead_code, reason = "held for its number")] TcpSocket),
    /// Between two states.
    Nothing,
}

impl Port {
    /// Listens on a free port of the loopback interface.
    pub(crate) fn open() -> io::Result<Self> {
        Self::open_on(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Listens on this address.
    pub(crate) fn open_on(address: SocketAddr) -> io::Result<Self> {
        let socket = bind(address)?;
        let listener = socket.listen(128)?;
        Ok(Self {
            address: listener.local_addr()?,
            state: State::Listening(listener),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connections from now on. What was accepted before stays.
    pub(crate) async fn shut(&mut self) {
        if matches!(self.state, State::Listening(_)) {
            self.state = State::Nothing;
            self.state = State::Held(self.bind_again().await);
        }
    }

    /// Accepts connections again.
    pub(crate) async fn reopen(&mut self) {
        while !matches!(self.state, State::Listening(_)) {
            self.state = State::Nothing;
            match self.bind_again().await.listen(128) {
                Ok(listener) => self.state = State::Listening(listener),
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    /// The next connection; pending while shut.
    pub(crate) async fn accept(&self) -> TcpStream {
        let State::Listening(listener) = &self.state else {
            return std::future::pending().await;
        };
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return stream,
                // A connection that died in the queue, or no descriptors for a moment.
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    async fn bind_again(&self) -> TcpSocket {
        loop {
            match bind(self.address) {
                Ok(socket) => return socket,
                Err(_) => sleep(RETRY).await,
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(10);

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
