//! A certificate from a CA, over ACME (RFC 8555), issued and renewed while the server runs.
//!
//! Whatever goes wrong, the server goes on with what it has, and the next attempt waits, longer each time; the wait
//! is remembered, so that a restart does not shorten it.

mod challenge;
mod https;
mod state;

pub(crate) use challenge::Challenges;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error,
    Identifier, Key, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use time::{Duration, OffsetDateTime};

use self::https::CaClient;
use self::state::{Issued, OpenOrder, State};
use super::PublicCertificate;
use crate::data_folder::DataFolder;
use crate::tls::Tls;

/// Let's Encrypt's directory, where no other is named.
const DEFAULT_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The port that CAs connect to (RFC 8737 §3).
const PORT: u16 = 443;

/// The longest sleep between two looks at the clock, which may have been set, or stood still with the machine.
const LONGEST_SLEEP: Duration = Duration::hours(1);

/// How often the CA is asked for its advice on renewal, unless it says otherwise: four times a day (RFC 9773 §4.3.3
/// recommends no less).
const ADVICE_INTERVAL: Duration = Duration::hours(6);

/// How long the CA may take to check a name, or to issue.
const CA_TIME: std::time::Duration = std::time::Duration::from_secs(120);

/// `--acme` and its companions.
#[derive(Clone, Debug)]
pub struct AcmeConfig {
    /// The DNS names that the certificate is to be for.
    pub names: Vec<String>,
    /// The CA's directory; Let's Encrypt's if `None`.
    pub directory: Option<String>,
    /// The root that the CA's own HTTPS stands on; the platform's if `None`.
    pub ca: Option<PathBuf>,
    /// Port 443 is forwarded to this server's.
    pub is_forwarded: bool,
}

/// What was asked for cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// A CA could not reach this server.
    #[error(
        "--acme needs port 443, because a CA connects there; this server was told to listen on {0}. Leave --listen out, or, if 443 is forwarded to {0}, add --acme-forwarded"
    )]
    Port(u16),
    /// A CA could not issue for it.
    #[error("--acme {0} is no DNS name that a CA can check")]
    Name(String),
    /// The CA's root cannot be read.
    #[error("{} holds no certificate", .0.display())]
    Ca(PathBuf),
    /// There is nothing to trust the CA by.
    #[error(
        "no CA certificates are installed on this machine, so the CA cannot be trusted; install them (Debian: ca-certificates), or name its root with --acme-ca"
    )]
    NoPlatform(#[source] rustls::Error),
    /// What is remembered cannot be read.
    #[error("acme.json in the data folder cannot be read or written")]
    State(#[source] std::io::Error),
}

impl AcmeConfig {
    /// Refuses what cannot work, before anything is begun.
    pub(crate) fn check(&self, port: Option<u16>) -> Result<(), AcmeError> {
        if let Some(port) = port.filter(|port| *port != PORT)
            && !self.is_forwarded
        {
            return Err(AcmeError::Port(port));
        }
        let is_name = |name: &str| {
            name.contains('.')
                && name.parse::<std::net::IpAddr>().is_err()
                && rustls::pki_types::DnsName::try_from(name).is_ok()
        };
        match self.names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(AcmeError::Name(name.clone())),
            None => Ok(()),
        }
    }
}

/// The certificate's keeper.
pub(crate) struct Acme {
    names: Vec<String>,
    directory: String,
    client: CaClient,
    folder: Arc<DataFolder>,
    tls: Tls,
    state: State,
    /// Reached at the CA in this run.
    account: Option<Account>,
    /// The certificate that is served, with when it is to be renewed.
    current: Option<(PublicCertificate, Renewal)>,
}

/// When a certificate is to be renewed.
#[derive(Clone, Copy, Debug)]
struct Renewal {
    at: OffsetDateTime,
    /// When the CA is asked for its advice; `None` if it gives none.
    ask_at: Option<OffsetDateTime>,
}

/// An attempt that failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ca(#[from] Error),
    #[error("the CA refuses {name}: {why}")]
    Refused { name: String, why: String },
    #[error("the CA offers no tls-alpn-01 for {0}")]
    NoChallenge(String),
    #[error("what was issued cannot be served")]
    Unusable(#[from] super::CertificateError),
    #[error(
        "what was issued is over already by this machine's clock, or soon: is the clock right?"
    )]
    Clock,
    #[error("acme.json cannot be written")]
    State(#[from] std::io::Error),
    #[error("a key or a request could not be made")]
    Local(#[from] rcgen::Error),
}

impl Acme {
    /// Takes up what is remembered; a certificate that is still good is served at once.
    pub(crate) fn open(
        config: &AcmeConfig,
        folder: Arc<DataFolder>,
        tls: Tls,
    ) -> Result<Self, AcmeError> {
        let mut names: Vec<_> = config
            .names
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect();
        names.sort();
        names.dedup();
        let directory = config
            .directory
            .as_deref()
            .unwrap_or(DEFAULT_DIRECTORY)
            .to_owned();
        let state = State::load(&folder, &directory).map_err(AcmeError::State)?;
        let mut acme = Self {
            client: CaClient::new(Arc::new(client_config(config.ca.as_ref())?)),
            names,
            directory,
            folder,
            tls,
            state,
            account: None,
            current: None,
        };
        let issued = acme
            .state
            .issued
            .as_ref()
            .filter(|issued| issued.names == acme.names);
        if let Some(Issued {
            chain_pem, key_pem, ..
        }) = issued
        {
            match PublicCertificate::from_pem(chain_pem.as_bytes(), key_pem.as_bytes()) {
                Ok(certificate) if !certificate.has_expired() => acme.serve(certificate),
                Ok(_) => tracing::warn!(
                    "the CA's certificate has expired; recado's own is served until there is another"
                ),
                Err(error) => {
                    tracing::warn!(%error, "the CA's certificate in acme.json is of no use")
                }
            }
        }
        Ok(acme)
    }

    /// Issues and renews, for ever.
    pub(crate) async fn run(mut self) -> std::convert::Infallible {
        loop {
            self.take_advice().await;
            let now = OffsetDateTime::now_utc();
            let due = self.due();
            if due > now {
                let ask_at = self
                    .current
                    .as_ref()
                    .and_then(|(_, renewal)| renewal.ask_at);
                let wake = ask_at.map_or(due, |ask_at| due.min(ask_at));
                let sleep = (wake - now).clamp(Duration::ZERO, LONGEST_SLEEP);
                tokio::time::sleep(sleep.unsigned_abs()).await;
                continue;
            }
            tracing::info!(names = ?self.names, directory = self.directory, "asking the CA for a certificate");
            if let Err(failure) = self.obtain().await {
                let asked = self
                    .client
                    .stay_away
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                let asked = Duration::try_from(asked.unwrap_or_default()).unwrap_or(Duration::ZERO);
                let next = self.state.fail(&self.names, now, asked);
                let cause = std::error::Error::source(&failure).map(ToString::to_string);
                let cause = cause.unwrap_or_default();
                tracing::warn!(%failure, cause, %next, "no certificate from the CA; what is in use stays so");
                if let Err(error) = self.state.save(&self.folder) {
                    tracing::error!(%error, "acme.json cannot be written");
                }
            }
        }
    }

    /// When the next attempt is to be made.
    fn due(&self) -> OffsetDateTime {
        let may_ask_at = self.state.may_ask_at(&self.names);
        match &self.current {
            Some((_, renewal)) => renewal.at.max(may_ask_at),
            None => may_ask_at,
        }
    }

    /// Asks the CA when it wants the certificate to be renewed, if it is time to (RFC 9773).
    async fn take_advice(&mut self) {
        let now = OffsetDateTime::now_utc();
        let Some((certificate, renewal)) = &self.current else {
            return;
        };
        if renewal.ask_at.is_none_or(|ask_at| ask_at > now) {
            return;
        }
        let (id, fallback) = (identifier(certificate), at_two_thirds(certificate));
        let advice = match (self.account().await, id) {
            (Ok(account), Some(id)) => account.renewal_info(&id).await,
            (Err(Failure::Ca(error)), _) => Err(error),
            _ => return,
        };
        let renewal = match advice {
            Ok((info, again)) => {
                let window = info.suggested_window;
                let again = Duration::try_from(again).unwrap_or(ADVICE_INTERVAL);
                Renewal {
                    at: within(window.start, window.end, crate::net::random()),
                    ask_at: Some(now + again.clamp(Duration::hours(1), Duration::hours(24))),
                }
            }
            Err(Error::Unsupported(_)) => Renewal {
                at: fallback,
                ask_at: None,
            },
            Err(error) => {
                tracing::debug!(%error, "the CA gives no advice on renewal");
                Renewal {
                    at: fallback,
                    ask_at: Some(now + ADVICE_INTERVAL),
                }
            }
        };
        if let Some((_, current)) = &mut self.current {
            *current = renewal;
        }
    }

    /// One attempt: from an account to a certificate that is served. What an earlier one has reached is not done
    /// again.
    async fn obtain(&mut self) -> Result<(), Failure> {
        match self.place_and_complete().await {
            // The CA has forgotten us, as testing ones do.
            Err(Failure::Ca(Error::Api(Problem {
                r#type: Some(kind), ..
            }))) if kind == "urn:ietf:params:acme:error:accountDoesNotExist" => {
                self.account = None;
                self.state.account = None;
                self.state.order = None;
                self.place_and_complete().await
            }
            done => done,
        }
    }

    async fn place_and_complete(&mut self) -> Result<(), Failure> {
        let mut order = self.order().await?;
        let completed = self.complete(&mut order).await;
        // An order that has failed for good is no use to the next attempt. That a name of it was refused may show before
        // it is said of the order itself.
        let is_refused = matches!(completed, Err(Failure::Refused { .. }));
        if is_refused || completed.is_err() && order.state().status == OrderStatus::Invalid {
            self.state.order = None;
            self.state.save(&self.folder)?;
        }
        completed
    }

    /// The account, made if there is none.
    async fn account(&mut self) -> Result<Account, Failure> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        let remembered = self.state.account.clone();
        let remembered =
            remembered.and_then(|value| serde_json::from_value::<AccountCredentials>(value).ok());
        let account = match remembered {
            Some(credentials) => builder.from_credentials(credentials).await?,
            None => {
                let key = self.account_key()?;
                let pair = (Key::from_pkcs8_der(key.clone_key())?, key.into());
                let (account, credentials) = builder
                    .create_from_key(pair, self.directory.clone())
                    .await?;
                self.state.account = Some(serde_json::to_value(&credentials).map_err(Error::Json)?);
                self.state.save(&self.folder)?;
                account
            }
        };
        self.account = Some(account.clone());
        Ok(account)
    }

    /// The account's key, remembered before it is used: an account made twice with it is the same one.
    fn account_key(&mut self) -> Result<PrivatePkcs8KeyDer<'static>, Failure> {
        let remembered = self
            .state
            .account_key
            .as_ref()
            .and_then(|text| STANDARD.decode(text).ok());
        if let Some(key) = remembered {
            return Ok(key.into());
        }
        let (_, key) = Key::generate_pkcs8()?;
        self.state.account_key = Some(STANDARD.encode(key.secret_pkcs8_der()));
        self.state.save(&self.folder)?;
        Ok(key)
    }

    /// The order that is open for these names, or a new one.
    async fn order(&mut self) -> Result<Order, Failure> {
        let account = self.account().await?;
        let open = self
            .state
            .order
            .as_ref()
            .filter(|open| open.names == self.names);
        if let Some(open) = open {
            match account.order(open.url.clone()).await {
                Ok(mut order) => {
                    if order.state().status != OrderStatus::Invalid {
                        return Ok(order);
                    }
                }
                // It has been forgotten; what cannot be reached has not.
                Err(Error::Api(problem)) => tracing::debug!(%problem, "the open order is gone"),
                Err(error) => return Err(error.into()),
            }
        }
        let identifiers: Vec<_> = self.names.iter().cloned().map(Identifier::Dns).collect();
        let mut wanted = NewOrder::new(&identifiers);
        if let Some((
            certificate,
            Renewal {
                ask_at: Some(_), ..
            },
        )) = &self.current
            && let Some(id) = identifier(certificate)
        {
            wanted = wanted.replaces(id);
        }
        let order = account.new_order(&wanted).await?;
        self.state.order = Some(OpenOrder {
            names: self.names.clone(),
            url: order.url().to_owned(),
            key_pem: KeyPair::generate()?.serialize_pem(),
        });
        self.state.save(&self.folder)?;
        Ok(order)
    }

    /// Answers what the CA asks, and takes the certificate.
    async fn complete(&mut self, order: &mut Order) -> Result<(), Failure> {
        let retries = RetryPolicy::new().timeout(CA_TIME);
        if order.state().status == OrderStatus::Pending {
            match self.answer(order, &retries).await {
                Ok(OrderStatus::Invalid) => {
                    let unknown = Error::Str("a reason why the order was refused");
                    return Err(refusal(order).await.unwrap_or(unknown.into()));
                }
                Ok(_) => {}
                // It may say the same with less.
                Err(Failure::Ca(error)) => {
                    return Err(refusal(order).await.unwrap_or(error.into()));
                }
                Err(failure) => return Err(failure),
            }
        }
        let Some(OpenOrder { key_pem, .. }) = self.state.order.clone() else {
            return Err(Error::Str("an order").into());
        };
        if order.state().status == OrderStatus::Ready {
            let mut params = CertificateParams::new(self.names.clone())?;
            params.distinguished_name = DistinguishedName::new();
            let request = params.serialize_request(&KeyPair::from_pem(&key_pem)?)?;
            order.finalize_csr(request.der()).await?;
        }
        let chain_pem = order.poll_certificate(&retries).await?;
        let certificate = PublicCertificate::from_pem(chain_pem.as_bytes(), key_pem.as_bytes())?;
        self.state.succeed(Issued {
            names: self.names.clone(),
            chain_pem,
            key_pem,
        });
        self.state.save(&self.folder)?;
        let is_due = at_two_thirds(&certificate) <= OffsetDateTime::now_utc();
        let (names, until) = (certificate.names.clone(), certificate.not_after);
        self.serve(certificate);
        tracing::info!(?names, %until, "a certificate from the CA is in use");
        // One that is to be renewed at once would be so for ever.
        if is_due { Err(Failure::Clock) } else { Ok(()) }
    }

    /// Answers what the CA asks of each name, and waits for its verdict.
    async fn answer(
        &self,
        order: &mut Order,
        retries: &RetryPolicy,
    ) -> Result<OrderStatus, Failure> {
        let mut answering = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            let name = authorization.identifier().to_string();
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let Some(mut challenge) = authorization.challenge(ChallengeType::TlsAlpn01) else {
                return Err(Failure::NoChallenge(name));
            };
            let digest = challenge.key_authorization().digest();
            answering.push(self.tls.challenges.answer(&name, digest.as_ref())?);
            challenge.set_ready().await?;
        }
        Ok(order.poll_ready(retries).await?)
    }

    fn serve(&mut self, certificate: PublicCertificate) {
        self.tls.serve(&certificate);
        let renewal = Renewal {
            at: at_two_thirds(&certificate),
            ask_at: Some(OffsetDateTime::now_utc()),
        };
        self.current = Some((certificate, renewal));
    }
}

/// Which name of an order was refused and why, in the CA's words.
async fn refusal(order: &mut Order) -> Option<Failure> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        let mut challenges = authorization.challenges.iter();
        if let Some(problem) = challenges.find_map(|challenge| challenge.error.as_ref()) {
            return Some(Failure::Refused {
                name: authorization.identifier().to_string(),
                why: problem.to_string(),
            });
        }
    }
    None
}

/// Trust in the CA's own HTTPS.
fn client_config(ca: Option<&PathBuf>) -> Result<ClientConfig, AcmeError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(AcmeError::NoPlatform)?;
    let Some(path) = ca else {
        let verifier =
            rustls_platform_verifier::Verifier::new(provider).map_err(AcmeError::NoPlatform)?;
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth());
    };
    let bad = || AcmeError::Ca(path.clone());
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(path).map_err(|_| bad())? {
        roots.add(root.map_err(|_| bad())?).map_err(|_| bad())?;
    }
    if roots.is_empty() {
        return Err(bad());
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn at_two_thirds(certificate: &PublicCertificate) -> OffsetDateTime {
    certificate.not_before + (certificate.not_after - certificate.not_before) * 2 / 3
}

/// A moment of a window, so that not all renew at once.
fn within(start: OffsetDateTime, end: OffsetDateTime, random: [u8; 4]) -> OffsetDateTime {
    let part = f64::from(u32::from_ne_bytes(random)) / f64::from(u32::MAX);
    start + (end - start).max(Duration::ZERO) * part
}

/// What the CA calls a certificate (RFC 9773 §4.1).
fn identifier(certificate: &PublicCertificate) -> Option<CertificateIdentifier<'static>> {
    let id = CertificateIdentifier::try_from(certificate.leaf()?).ok()?;
    Some(id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(names: &[&str]) -> AcmeConfig {
        AcmeConfig {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            directory: None,
            ca: None,
            is_forwarded: false,
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_is_begun() {
        let good = config(&["chat.example.org"]);
        assert!(good.check(None).is_ok() && good.check(Some(443)).is_ok());
        assert!(matches!(good.check(Some(8443)), Err(AcmeError::Port(8443))));
        let forwarded = AcmeConfig {
            is_forwarded: true,
            ..good
        };
        assert!(forwarded.check(Some(8443)).is_ok());
        for name in ["localhost", "192.0.2.1", "2001:db8::1", "a b.example", ""] {
            let refused = config(&["chat.example.org", name]).check(None);
            assert!(matches!(refused, Err(AcmeError::Name(_))), "{name}");
        }
    }

    #[test]
    fn a_renewal_lies_within_the_window_that_the_ca_suggests() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let end = start + Duration::hours(48);
        assert_eq!(within(start, end, [0; 4]), start);
        assert_eq!(within(start, end, [0xff; 4]), end);
        let middle = within(start, end, 0x8000_0000_u32.to_ne_bytes());
        assert!((middle - start - Duration::hours(24)).abs() < Duration::seconds(1));
        assert_eq!(
            within(end, start, [0xff; 4]),
            end,
            "a window the wrong way round"
        );
    }
}
