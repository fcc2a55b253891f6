//! `opentelemetry`: `tracing` events over its bridge, batched and sent as JSON over HTTP, with a queue of 65,536 records
//! where 2,048 are the default. What a full queue turns away it counts, and says at its shutdown in an event of its own,
//! which is read here; of batches that were not taken it says no number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, Protocol, WithExportConfig};
use opentelemetry_sdk::logs::{BatchConfigBuilder, BatchLogProcessor, SdkLoggerProvider};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber, info};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::{Peer, QUEUE_EVENTS, Setup, Subject};

pub const PEER: Peer = Peer {
    name: "opentelemetry-otlp",
    tries_again: true,
    keeps: false,
    start: |setup| Box::new(Provider::start(setup)),
};

struct Provider {
    provider: SdkLoggerProvider,
    dropped: Arc<AtomicU64>,
}

impl Provider {
    fn start(setup: &Setup) -> Provider {
        let exporter = LogExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpJson)
            .with_endpoint(format!("http://127.0.0.1:{}/v1/logs", setup.port))
            .build()
            .unwrap_or_else(|error| panic!("{error}"));
        let room = BatchConfigBuilder::default().with_max_queue_size(QUEUE_EVENTS).build();
        let processor = BatchLogProcessor::builder(exporter).with_batch_config(room).build();
        let provider = SdkLoggerProvider::builder().with_log_processor(processor).build();
        let dropped = Arc::new(AtomicU64::new(0));
        // What it says of itself must not come back to it.
        let own = filter_fn(|metadata| !metadata.target().starts_with("opentelemetry"));
        tracing_subscriber::registry()
            .with(OpenTelemetryTracingBridge::new(&provider).with_filter(LevelFilter::INFO).with_filter(own))
            .with(Told(dropped.clone()).with_filter(LevelFilter::WARN))
            .init();
        Provider { provider, dropped }
    }
}

/// Reads what the processor says of drops.
struct Told(Arc<AtomicU64>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Count(&self.0));
    }
}

struct Count<'a>(&'a AtomicU64);

impl Visit for Count<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "dropped_logs_count" {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Subject for Provider {
    fn log(&self, id: &str) {
        info!(
            order = id,
            amount = 1.5,
            region = "eu",
            ok = true,
            "the order was accepted and leaves the warehouse this evening"
        );
    }

    fn end(self: Box<Self>) -> u64 {
        let _ = self.provider.shutdown(); // a timeout of its own: 5 s
        self.dropped.load(Ordering::Relaxed)
    }
}
