//! An HTTP/1.1 server in a few lines, for the target and the stand-in for k6.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri, body::Bytes, body::Incoming,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::moment::Moment;

/// One whole request.
pub struct Received {
    /// When its first bytes came out of the socket.
    pub arrived: Moment,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Given instead of an answer: the connection is closed without one.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("closed without an answer")
    }
}

impl std::error::Error for Closed {}

pub type Answer = Result<Response<Full<Bytes>>, Closed>;

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

/// Answers every request on `listener` with what `handle` makes of it, until the future is dropped, which closes
/// all connections. The future of `handle` is dropped when its client goes away before it has its answer.
pub async fn serve<H, F>(listener: TcpListener, handle: H)
where
    H: Fn(Received) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve_connection(stream, handle.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection<H, F>(stream: TcpStream, handle: H)
where
    H: Fn(Received) -> F,
    F: Future<Output = Answer>,
{
    // Without it the second half of an answer may wait for the client's acknowledgement (some 40 ms).
    if stream.set_nodelay(true).is_err() {
        return; // The client has gone.
    }
    let first_bytes = FirstBytes::default();
    let stamped = Stamped {
        stream,
        first_bytes: first_bytes.clone(),
    };
    let service = service_fn(|request: Request<Incoming>| {
        let (first_bytes, handle) = (first_bytes.clone(), &handle);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
            // Taken after the body, so that the next bytes are the next request's.
            let arrived = first_bytes.take();
            handle(Received {
                arrived,
                method: head.method,
                uri: head.uri,
                headers: head.headers,
                body,
            })
            .await
        }
    });
    // An error is a client that went away or a connection that was to be closed: nothing to tell anybody.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stamped), service)
        .await;
}

/// When the first bytes of the request that is being read came out of the socket.
#[derive(Clone, Default)]
struct FirstBytes(Arc<Mutex<Option<Moment>>>);

impl FirstBytes {
    fn note(&self) {
        self.0.lock().unwrap().get_or_insert_with(Moment::now);
    }

    fn take(&self) -> Moment {
        self.0
            .lock()
            .unwrap()
            .take()
            .expect("a request was read from the socket")
    }
}

/// Notes the time directly after the read, before anything is parsed or scheduled.
struct Stamped {
    stream: TcpStream,
    first_bytes: FirstBytes,
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.first_bytes.note();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A client in a few lines.
pub mod client {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpStream},
        time::Duration,
    };

    /// Sends one request on a connection of its own; gives the whole answer, or nothing if there was none.
    pub fn ask(
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Instant};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_request_has_the_time_of_its_first_bytes() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let first_bytes = FirstBytes::default();
        let mut server = Stamped {
            stream: listener.accept().await.unwrap().0,
            first_bytes: first_bytes.clone(),
        };
        for _ in 0..2 {
            let before = Instant::now();
            client.write_all(b"GET / ").await.unwrap();
            server.read_exact(&mut [0; 6]).await.unwrap();
            let between = Instant::now();
            client.write_all(b"HTTP/1.1").await.unwrap();
            server.read_exact(&mut [0; 8]).await.unwrap();

            let arrived = first_bytes.take().monotonic;
            assert!(before <= arrived && arrived <= between);
        }
    }
}
