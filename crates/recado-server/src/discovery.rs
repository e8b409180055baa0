//! The server's announcement on the local network: DNS-SD over multicast DNS, as `_recado._tcp`.
//!
//! It says where the server is and which fingerprint it claims, and gives no trust: whoever connects has the server
//! prove its key. Nothing is announced of a server that only this machine can reach.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use recado_proto::discovery::{FINGERPRINT_KEY, SERVICE, VERSION, VERSION_KEY};
use recado_proto::fingerprint::Fingerprint;
use tokio::time::{interval, timeout};

use crate::addresses;

/// Whether a server announces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discovery {
    /// On every network that it can be reached from.
    Announced,
    /// Nowhere.
    Silent,
}

/// How often the responder's memory is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Records of others that the responder may hold. It needs none of them, but keeps what comes unasked, without a bound
/// of its own: with more, some neighbour is flooding, and it is made anew. A network of a hundred chatty machines stays
/// below a thousand.
const MAX_RECORDS: i64 = 4096;

/// How long the last word, that the server is gone, may take.
const FAREWELL_TIME: Duration = Duration::from_millis(500);

/// What is announced.
#[derive(Clone, Debug)]
pub(crate) struct Announced {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) port: u16,
    /// Where the server listens.
    pub(crate) listening: Vec<SocketAddr>,
}

/// An announcement that goes on until it is ended.
pub(crate) struct Announcement {
    what: Announced,
    responder: Option<ServiceDaemon>,
}

impl Announcement {
    /// Begins to announce, unless nobody elsewhere could come. A network without multicast is a notice, no more.
    pub(crate) fn begin(what: Announced) -> Self {
        let mut announcement = Self {
            what,
            responder: None,
        };
        announcement.respond();
        announcement
    }

    fn respond(&mut self) {
        let Some(info) = self.what.service() else {
            return;
        };
        let responder = ServiceDaemon::new().and_then(|responder| {
            responder.register(info)?;
            Ok(responder)
        });
        match responder {
            Ok(responder) => self.responder = Some(responder),
            Err(error) => {
                tracing::info!(%error, "the server cannot be announced on this network");
            }
        }
    }

    /// Keeps the responder's memory bounded, for as long as the server runs.
    pub(crate) async fn keep(&mut self) -> std::convert::Infallible {
        let mut looks = interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            let Some(responder) = &self.responder else {
                return std::future::pending().await;
            };
            if records(responder).await <= MAX_RECORDS {
                continue;
            }
            tracing::warn!("the local network is flooded with announcements; starting anew");
            let _ = responder.shutdown();
            self.responder = None;
            self.respond();
        }
    }

    /// Tells the network that the server is gone.
    pub(crate) async fn end(self) {
        let Some(responder) = self.responder else {
            return;
        };
        // Its farewell is sent before it says that it has ended.
        if let Ok(ended) = responder.shutdown() {
            let _ = timeout(FAREWELL_TIME, ended.recv_async()).await;
        }
    }
}

impl Announced {
    /// As multicast DNS tells it; `None` if only this machine can come.
    fn service(&self) -> Option<ServiceInfo> {
        let reachable: Vec<IpAddr> = self.listening.iter().map(SocketAddr::ip).collect();
        let everywhere: Vec<IfKind> = reachable
            .iter()
            .filter(|ip| ip.is_unspecified())
            .map(|ip| match ip {
                IpAddr::V4(_) => IfKind::IPv4,
                IpAddr::V6(_) => IfKind::IPv6,
            })
            .collect();
        let reachable: Vec<IpAddr> = reachable
            .into_iter()
            .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
            .collect();
        if reachable.is_empty() && everywhere.is_empty() {
            return None;
        }
        let digest = self.fingerprint.as_bytes();
        let short: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
        let host = addresses::host_name();
        let name = host.as_deref().and_then(|host| host.split('.').next());
        let properties = [
            (VERSION_KEY, VERSION.to_owned()),
            (FINGERPRINT_KEY, self.fingerprint.to_string()),
        ];
        let info = ServiceInfo::new(
            SERVICE,
            name.unwrap_or("recado"),
            // Not the machine's own name: another responder here may speak for that.
            &format!("recado-{short}.local."),
            &reachable[..],
            self.port,
            &properties[..],
        );
        match info {
            Ok(info) if everywhere.is_empty() => Some(info),
            Ok(mut info) => {
                info.set_interfaces(everywhere);
                Some(info.enable_addr_auto())
            }
            Err(error) => {
                tracing::info!(%error, "the server cannot be announced");
                None
            }
        }
    }
}

/// How many records of others the responder holds.
async fn records(responder: &ServiceDaemon) -> i64 {
    let Ok(metrics) = responder.get_metrics() else {
        return 0;
    };
    let Ok(Ok(metrics)) = timeout(LOOK_INTERVAL, metrics.recv_async()).await else {
        return 0;
    };
    let cached = metrics
        .iter()
        .filter(|(name, _)| name.starts_with("cached-"));
    cached.map(|(_, count)| *count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(listening: &[&str]) -> Option<ServiceInfo> {
        let announced = Announced {
            fingerprint: Fingerprint::from_bytes([7; 32]),
            port: 8443,
            listening: listening.iter().map(|at| at.parse().unwrap()).collect(),
        };
        announced.service()
    }

    #[test]
    fn only_what_others_can_reach_is_announced() {
        assert!(service(&["127.0.0.1:8443", "[::1]:8443"]).is_none());
        let one = service(&["127.0.0.1:8443", "192.168.1.20:8443"]).unwrap();
        assert!(!one.is_addr_auto());
        assert_eq!(one.get_addresses().len(), 1);
        assert_eq!(one.get_port(), 8443);
        assert_eq!(one.get_hostname(), "recado-070707070707.local.");
        let claimed = one.get_property_val_str(FINGERPRINT_KEY).unwrap();
        assert!(claimed.starts_with("SHA256:"), "{claimed}");
        assert!(
            service(&["0.0.0.0:8443", "[::]:8443"])
                .unwrap()
                .is_addr_auto()
        );
    }
}
