//! How much one address may ask for.
//!
//! Each request takes a token of its address's bucket, and its body one more for each KiB, so that a batch costs
//! what it is. Loopback is not limited: whoever is on this machine can do worse.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use ipnet::IpNet;
use recado_hub::{BucketConfig, Buckets, limit_key};
use tokio::time::Instant;

use super::HttpConfig;
use super::problem::{self, Problem};

/// A proxy, or a network of them, whose word on whom it speaks for is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

impl TrustedProxy {
    /// Whether an address is one of it.
    pub(crate) fn is(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

/// Not an address and not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no network; write ADDRESS or ADDRESS/BITS, like 10.0.0.7 or 2001:db8::/32")]
pub struct NoNetwork;

impl FromStr for TrustedProxy {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address
            .or_else(|_| text.parse())
            .map(Self)
            .map_err(|_| NoNetwork)
    }
}

/// The buckets of all addresses.
pub(super) struct RateLimit {
    buckets: Mutex<Buckets<IpAddr>>,
    /// What the buckets' time is counted from.
    since: Instant,
    trusted_proxies: Vec<TrustedProxy>,
    body_bytes: usize,
}

impl RateLimit {
    pub(super) fn new(config: &HttpConfig) -> Self {
        let limits = &config.limits;
        let bucket = BucketConfig {
            burst: limits.rate_burst,
            interval: limits.rate_interval,
        };
        Self {
            buckets: Mutex::new(Buckets::new(bucket, limits.rate_addresses)),
            since: Instant::now(),
            trusted_proxies: config.trusted_proxies.clone(),
            body_bytes: limits.rate_body_bytes,
        }
    }

    /// Whom a request is from: the connection's other end, or, if that is a trusted proxy, whom it says it speaks
    /// for. Of several proxies in a row, the last that is not trusted is the client.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

        if !self.trusts(peer) {
            return peer;
        }
        // Each proxy appends whom it heard, so that the end of the list is what trusted ones wrote.
        let mut client = peer;
        for value in headers.get_all(&X_FORWARDED_FOR).iter().rev() {
            for hop in value.to_str().unwrap_or_default().rsplit(',') {
                // What cannot be read was not written by a proxy worth trusting.
                let Ok(address) = hop.trim().parse() else {
                    return client;
                };
                client = address;
                if !self.trusts(client) {
                    return client;
                }
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mut proxies = self.trusted_proxies.iter();
        proxies.any(|TrustedProxy(network)| network.contains(&address))
    }

    /// Takes a request's token.
    pub(super) fn take_request(&self, client: IpAddr) -> Result<(), Problem> {
        self.take(client, 1)
    }

    /// Takes the tokens of a body.
    pub(super) fn take_body(&self, client: IpAddr, bytes: usize) -> Result<(), Problem> {
        match u32::try_from(bytes / self.body_bytes).unwrap_or(u32::MAX) {
            0 => Ok(()),
            tokens => self.take(client, tokens),
        }
    }

    fn take(&self, client: IpAddr, tokens: u32) -> Result<(), Problem> {
        if client.to_canonical().is_loopback() {
            return Ok(());
        }
        let now = self.since.elapsed();
        let key = limit_key(client);
        let taken = self
            .buckets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take_many(now, &key, tokens);
        taken.map_err(too_many)
    }
}

fn too_many(wait: Duration) -> Problem {
    // Up, so that whoever waits is not refused again, and not by much.
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let detail = format!(
        "Too many requests came from your address, or from your network. Repeat this one in {seconds} s."
    );
    Problem::new(&problem::TOO_MANY_REQUESTS, detail)
        .header(RETRY_AFTER, HeaderValue::from(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
        let rate = RateLimit::new(&HttpConfig {
            trusted_proxies: ["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            ..HttpConfig::default()
        });
        for (peer, forwarded, client) in [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.1.2.3", &["198.51.100.1"], "198.51.100.1"),
            ("2001:db8::1", &["2001:db9::1"], "2001:db9::1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            // What the client itself claims stands before what the proxy heard.
            ("127.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            (
                "127.0.0.1",
                &["203.0.113.9", "198.51.100.1"],
                "198.51.100.1",
            ),
            ("127.0.0.1", &["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("127.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3"),
            ("127.0.0.1", &["unknown, 10.0.0.2"], "10.0.0.2"),
            ("127.0.0.1", &["198.51.100.1:80"], "127.0.0.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            let found = rate.client(peer.parse().unwrap(), &headers);
            assert_eq!(found.to_string(), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_an_address_or_a_network() {
        for text in ["10.0.0.7", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        for text in ["", "proxy", "10.0.0.0/33", "10.0.0/8", "10.0.0.7:80"] {
            assert_eq!(text.parse::<TrustedProxy>(), Err(NoNetwork), "{text}");
        }
    }
}
