//! HTTPS to the CA: TLS 1.3, a connection a request, bounded.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, RETRY_AFTER};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a request may take, from the name's address to the answer's end. CAs are slow, networks slower.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// The longest answer: a chain has a few KiB.
const MAX_ANSWER: usize = 1024 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The client that speaks to the CA.
#[derive(Clone)]
pub(super) struct CaClient {
    connector: TlsConnector,
    /// How long the CA asked us to stay away, when it last refused something.
    pub(super) stay_away: Arc<Mutex<Option<Duration>>>,
}

impl CaClient {
    pub(super) fn new(config: Arc<ClientConfig>) -> Self {
        Self {
            connector: config.into(),
            stay_away: Arc::default(),
        }
    }

    async fn exchange(
        self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<BytesResponse, Failure> {
        let uri = request.uri().clone();
        let (Some("https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(format!("{uri} is no https address").into());
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let tcp = TcpStream::connect((bare, uri.port_u16().unwrap_or(443))).await?;
        let name = ServerName::try_from(bare.to_owned())?;
        let tls = self.connector.connect(name, tcp).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        // Ends by itself when the sender is gone.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the CA broke");
            }
        });
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        request
            .headers_mut()
            .insert(HOST, HeaderValue::from_str(authority)?);
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = Uri::try_from(target)?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        if !parts.status.is_success() {
            let seconds = parts.headers.get(RETRY_AFTER);
            let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let mut stay_away = self
                .stay_away
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *stay_away = seconds.map(Duration::from_secs);
        }
        let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }
}

impl HttpClient for CaClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let exchange = timeout(REQUEST_TIME, self.clone().exchange(request));
        Box::pin(async move {
            match exchange.await {
                Ok(answer) => answer.map_err(Error::Other),
                Err(_) => Err(Error::Other("the CA did not answer in time".into())),
            }
        })
    }
}
