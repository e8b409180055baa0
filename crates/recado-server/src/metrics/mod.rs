//! What operators watch: counts of what passes, told to Prometheus on a loopback address.
//!
//! What is counted anyway is one number changed; requests and their times are kept only where somebody asks for them.

mod service;

pub(crate) use service::{Watched, serve};

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

use crate::hub_task::ShellEvent;
use crate::net::{Admission, RelayTraffic};

/// Datagrams that passed, whichever shard had them.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// Received, and not opened: of nobody, forged, or seen before.
    pub(crate) rejected: AtomicU64,
}

impl Traffic {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }
}

/// How many there are now of something; each counts while it lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Living(Arc<AtomicU64>);

/// One of them.
#[derive(Debug)]
pub(crate) struct Life(Living);

impl Living {
    pub(crate) fn begin(&self) -> Life {
        self.0.fetch_add(1, Relaxed);
        Life(self.clone())
    }

    fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// HTTPS requests: how many, how answered, how fast.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    times: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

impl HttpMetrics {
    fn new() -> Self {
        Self {
            requests: Family::default(),
            // 1 µs to 4 s: from the smallest sum to the largest batch on a loaded machine.
            times: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(1e-6, 4.0, 12))
            }),
        }
    }

    /// Notes an answer.
    pub(crate) fn answered(&self, route: &'static str, status: u16, time: Duration) {
        let labels = RequestLabels { route, status };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route };
        self.times
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
    }
}

/// Everything that is told.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) http: Arc<HttpMetrics>,
}

/// What the parts of the server count for themselves.
pub(crate) struct Parts {
    pub(crate) admission: Admission,
    pub(crate) sessions: Living,
    pub(crate) relays: RelayTraffic,
    /// Of each UDP socket.
    pub(crate) traffic: Vec<Arc<Traffic>>,
    pub(crate) events: mpsc::Sender<ShellEvent>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let http = Arc::new(HttpMetrics::new());
        let mut registry = Registry::with_prefix("recado");
        registry.register(
            "http_requests",
            "HTTPS requests answered, by route and status; 429 are refused for their number",
            http.requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Time from a request's head to its answer, by route",
            http.times.clone(),
        );
        Self { registry, http }
    }

    pub(crate) fn watch(&mut self, parts: Parts) {
        self.registry.register_collector(Box::new(parts));
    }

    /// All of it as text.
    fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Collector for Parts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waiting = self.events.max_capacity() - self.events.capacity();
        let gauges = [
            (
                "connections",
                "TCP connections open",
                self.admission.open() as u64,
            ),
            ("sessions", "Chat sessions open", self.sessions.count()),
            (
                "relays",
                "Relays of files that two connections use",
                self.relays.open.count(),
            ),
            ("hub_queue", "Events that wait for the hub", waiting as u64),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)?;
        }
        let sum = |counter: fn(&Traffic) -> &AtomicU64| {
            let counts = self.traffic.iter().map(|traffic| counter(traffic));
            counts.map(|count| count.load(Relaxed)).sum::<u64>()
        };
        let counters = [
            (
                "connections_refused",
                "TCP connections closed unanswered: too many at a time",
                self.admission.refused(),
            ),
            (
                "relayed_bytes",
                "Bytes that relays of files have copied",
                self.relays.bytes.load(Relaxed),
            ),
            (
                "datagrams_received",
                "Datagrams received",
                sum(|traffic| &traffic.received),
            ),
            (
                "datagrams_sent",
                "Datagrams sent",
                sum(|traffic| &traffic.sent),
            ),
            (
                "datagrams_rejected",
                "Datagrams received that were of no session, forged, or seen before",
                sum(|traffic| &traffic.rejected),
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(encoder)?;
        }
        Ok(())
    }
}
