use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use relay_core::protocol::Protocol;
use relay_testkit::FastProvider;
use tokio::sync::oneshot;

use super::*;
use crate::request::Paths;
use crate::stand::Provider;

/// A fast provider on a thread of its own, as the load generator takes the test's.
struct Running {
    address: SocketAddr,
    _end: oneshot::Sender<()>,
}

fn provider() -> Running {
    let (tell, told) = mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let provider = FastProvider::start_on(0).await.unwrap();
            let address = provider.base_url();
            tell.send(address.trim_start_matches("http://").parse().unwrap()).unwrap();
            let _ = ended.await;
        });
    });
    Running { address: told.recv().unwrap(), _end: end }
}

fn load(running: &Running, wanted: Wanted, connections: usize) -> Load {
    let protocol = Protocol::Messages;
    let to = Destination { address: running.address, paths: Paths::Provider, key: "a".into() };
    Load { to, shape: Shape { protocol, wanted, kilobytes: 1 }, connections }
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn so_many_calls_are_made_and_counted() {
    let running = provider();
    let seen = counted(&load(&running, Wanted::Unary, 8), 500, DRAIN_WITHIN, None).unwrap();
    assert_eq!((seen.calls, seen.failed, seen.latency.len()), (500, 0, 500));
    let wanted = Wanted::Stream { deltas: 300, interval_ms: 0 };
    let seen = counted(&load(&running, wanted, 2), 10, DRAIN_WITHIN, None).unwrap();
    assert_eq!((seen.calls, seen.failed, seen.deltas), (10, 0, 3_000));
}

#[test]
fn streams_of_every_protocol_are_followed_to_their_end() {
    let running = provider();
    let wanted = Wanted::Stream { deltas: 30, interval_ms: 1 };
    for protocol in [Protocol::Chat, Protocol::Responses, Protocol::Gemini] {
        let mut load = load(&running, wanted, 2);
        load.shape.protocol = protocol;
        let seen = counted(&load, 4, DRAIN_WITHIN, None).unwrap();
        assert_eq!((seen.calls, seen.failed, seen.deltas), (4, 0, 120), "{protocol:?}");
    }
}

#[test]
fn a_steady_load_counts_its_window_and_drains() {
    let running = provider();
    let own = Some(Measured { process: std::process::id(), puts_off: true });
    let unary = load(&running, Wanted::Unary, 4);
    let seen = steady(&unary, 20 * MILLISECOND, 100 * MILLISECOND, own).unwrap();
    assert!(seen.calls > 0 && seen.failed == 0, "{seen:?}");
    assert_eq!(seen.latency.len(), seen.calls);
    assert!(seen.elapsed >= 100 * MILLISECOND && seen.spent > Some(Duration::ZERO));
}

#[test]
fn calls_that_are_refused_or_cut_have_failed() {
    let running = provider();
    for how in ["529", "reset"] {
        Provider::answers(running.address, "a", how).unwrap();
        let seen = counted(&load(&running, Wanted::Unary, 2), 6, DRAIN_WITHIN, None).unwrap();
        assert_eq!((seen.calls, seen.failed), (0, 6), "{how}");
    }
}

#[test]
fn a_stream_that_does_not_come_to_its_last_event_has_failed() {
    let running = provider();
    // What is answered is whole, but no stream.
    let unary = load(&running, Wanted::Unary, 1).shape.requests(&Destination {
        address: running.address,
        paths: Paths::Provider,
        key: "a".into(),
    });
    let wanted = Wanted::Stream { deltas: 1, interval_ms: 0 };
    let stream = load(&running, wanted, 1);
    let done = run(async {
        let shared = Rc::new(Shared {
            requests: unary,
            load: stream,
            buffer: RefCell::new(vec![0; READ_BYTES]),
            tally: RefCell::new(Tally::new()),
            left: Cell::new(1),
        });
        shared.call(&mut Connection::default(), 0).await;
        Ok((shared.tally.borrow().calls, shared.tally.borrow().failed))
    });
    assert_eq!(done.unwrap(), (0, 1));
}

#[test]
fn streams_are_open_together_and_their_delay_is_seen() {
    let running = provider();
    let wanted = Wanted::Stream { deltas: 40, interval_ms: 25 };
    let pace = Pace { ramp: 100 * MILLISECOND, window: 100 * MILLISECOND };
    let seen = streams(&load(&running, wanted, 10), pace, None, || Ok("seen")).unwrap();
    assert_eq!((seen.failed, seen.deltas, seen.open, seen.seen), (0, 400, 10, "seen"));
    assert!(seen.window_deltas > 0 && seen.window_deltas < 400, "{}", seen.window_deltas);
    assert_eq!(seen.delay.len(), seen.window_deltas);
    assert!(Duration::from_nanos(seen.delay.max()) < Duration::from_secs(1));
}

#[test]
fn streams_that_end_before_the_window_does_are_not_open_together() {
    let running = provider();
    let wanted = Wanted::Stream { deltas: 2, interval_ms: 25 };
    let pace = Pace { ramp: 100 * MILLISECOND, window: 100 * MILLISECOND };
    let seen = streams(&load(&running, wanted, 10), pace, None, || Ok(())).unwrap();
    assert_eq!((seen.failed, seen.open), (0, 0));
}

#[test]
fn streams_outlast_an_opening_that_takes_twice_its_time() {
    let pace = Pace { ramp: Duration::from_secs(2), window: Duration::from_secs(3) };
    for (count, ramp) in [(200, 2), (1_000, 2), (5_000, 5)] {
        let pace = pace.of(count);
        assert_eq!(pace.ramp, Duration::from_secs(ramp), "{count}");
        assert_eq!(pace.life(), 2 * pace.ramp + pace.window, "{count}");
    }
}

#[test]
fn a_load_that_is_out_of_time_says_how_many_calls_it_made() {
    let running = provider();
    let wanted = Wanted::Stream { deltas: 1_000, interval_ms: 25 };
    let seen = counted(&load(&running, wanted, 2), 10, 100 * MILLISECOND, None).unwrap();
    assert_eq!((seen.calls, seen.failed), (0, 2));
}
