//! The text that a system reads which watches: OpenMetrics 1.0.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::accounts::Names;
use super::words::{self, CAUSES};
use super::{process, state};
use crate::app::App;
use crate::telemetry::DroppedLines;

/// What the text is.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a page could be written.
pub(super) type Failed = fmt::Result;

/// Says what is counted, and what can be seen now.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Of a running relay and its log.
    pub fn new(app: Arc<App>, dropped_lines: DroppedLines) -> Self {
        let mut registry = Registry::default();
        let of_process = process::Process { started: app.metrics.started };
        registry.sub_registry_with_prefix("process").register_collector(Box::new(of_process));
        let of_relay = Relay { app, dropped_lines };
        registry.sub_registry_with_prefix("crs").register_collector(Box::new(of_relay));
        Self { registry }
    }

    /// The text of this moment.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

/// The relay's own metrics.
#[derive(Debug)]
struct Relay {
    app: Arc<App>,
    dropped_lines: DroppedLines,
}

impl Collector for Relay {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = &mut Page(encoder);
        let app = &*self.app;
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauges("build_info", "The program's version; always 1", [(version, 1_u64)])?;
        app.metrics.usage.write(page)?;
        let refusals = app.refusals.totals();
        let refusals = refusals.iter().map(|(reason, count)| ([("reason", *reason)], *count));
        page.counters("refusals", "Requests that were refused, without a usage record", refusals)?;

        let members = app.roster.snapshot();
        let accounts = members.iter().map(|member| &member.account);
        let names: Names<'_> = accounts.map(|it| (it.id, it.name.as_str())).collect();
        let seen = app.metrics.accounts.seen(&names);
        app.metrics.accounts.write(page, &seen)?;
        let causes = CAUSES.iter().map(|cause| {
            ([("cause", cause.as_str())], app.metrics.host_rests.get(words::cause(*cause)))
        });
        page.counters("host_rests", "Rests that a host of accounts began, by their cause", causes)?;
        let dropped = app.metrics.events_dropped.get(0);
        page.counters("events_dropped", "Events that found no room", [([], dropped)])?;
        let lines = self.dropped_lines.count();
        page.counters("log_lines_dropped", "Log lines that found no room", [([], lines)])?;
        state::write(app, &members, &seen, page)
    }
}

/// Writes metrics with their help and type.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    /// Writes a counter for each set of labels; its name gets `_total`.
    pub(super) fn counters<'l, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, &'l str); N], V)>,
    ) -> Failed {
        let mut metric = self.begin(name, help, MetricType::Counter)?;
        for (labels, value) in samples {
            if N == 0 {
                metric.encode_counter::<NoLabelSet, V, f64>(&value, None)?;
            } else {
                let mut sample = metric.encode_family(&labels)?;
                sample.encode_counter::<NoLabelSet, V, f64>(&value, None)?;
            }
        }
        Ok(())
    }

    /// Writes a gauge for each set of labels.
    pub(super) fn gauges<'l, const N: usize, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, &'l str); N], V)>,
    ) -> Failed {
        let mut metric = self.begin(name, help, MetricType::Gauge)?;
        for (labels, value) in samples {
            if N == 0 {
                metric.encode_gauge(&value)?;
            } else {
                metric.encode_family(&labels)?.encode_gauge(&value)?;
            }
        }
        Ok(())
    }

    /// Writes a histogram for each set of labels.
    pub(super) fn histograms<'l, 'h, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, &'l str); N], &'h Histogram)>,
    ) -> Failed {
        let mut metric = self.begin(name, help, MetricType::Histogram)?;
        for (labels, histogram) in samples {
            histogram.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn begin<'s>(
        &'s mut self,
        name: &'s str,
        help: &str,
        kind: MetricType,
    ) -> Result<prometheus_client::encoding::MetricEncoder<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }
}
