//! What decoding and replying cost: nanoseconds per request of a pipelined batch.

#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ochre::base::number::{format_double, parse_double, parse_int};
use ochre::protocol::decode::{DecodeLimits, Decoder};
use ochre::protocol::reply::{Dialect, Output, Reply};
use ochre::protocol::request::Batch;

const LIMITS: DecodeLimits = DecodeLimits { bulk_len_max: 512 << 20, is_trusted: true };
const REQUESTS: usize = 512;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(REQUESTS as u64));
    let key = "key:000000123456";
    let value = "x".repeat(100);
    let inputs = [
        ("ping", "*1\r\n$4\r\nPING\r\n".to_owned()),
        ("get", format!("*2\r\n$3\r\nGET\r\n$16\r\n{key}\r\n")),
        ("set", format!("*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n$100\r\n{value}\r\n")),
        ("mset", format!("*21\r\n$4\r\nMSET\r\n{}", format!("$16\r\n{key}\r\n").repeat(20))),
        ("inline", format!("GET {key}\r\n")),
    ];
    for (name, request) in inputs {
        let input = request.repeat(REQUESTS);
        let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut rest = black_box(input.as_bytes());
                while !rest.is_empty() {
                    let decoded = decoder.decode(rest, &LIMITS, &mut batch);
                    black_box(&batch.requests);
                    rest = &rest[decoded.consumed..];
                }
            });
        });
    }
    group.finish();
}

fn reply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reply");
    group.throughput(Throughput::Elements(REQUESTS as u64));
    let mut out = Output::default();
    let mut run = |name: &str, say: &dyn Fn(&mut Reply<'_>)| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut reply = Reply::new(&mut out, Dialect::Resp2);
                for _ in 0..REQUESTS {
                    say(&mut reply);
                }
                black_box(reply.output().len());
            });
        });
    };
    let value = [b'x'; 100];
    run("ok", &|reply| reply.ok());
    run("int", &|reply| reply.int(black_box(12_345)));
    run("bulk 3", &|reply| reply.bulk(black_box(&value[..3])));
    run("bulk 100", &|reply| reply.bulk(black_box(&value)));
    run("array of 3", &|reply| {
        reply.array(black_box(3));
        for _ in 0..3 {
            reply.bulk(black_box(&value[..16]));
        }
    });
    run("double", &|reply| reply.double(black_box(3.25)));
    group.finish();
}

fn numbers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("number");
    group.bench_function("parse_int 6", |bencher| bencher.iter(|| parse_int(black_box(b"123456"))));
    group.bench_function("parse_int 19", |bencher| {
        bencher.iter(|| parse_int(black_box(b"1234567890123456789")));
    });
    group.bench_function("parse_double", |bencher| {
        bencher.iter(|| parse_double(black_box(b"123.4567")));
    });
    let mut out = Vec::new();
    group.bench_function("format_double", |bencher| {
        bencher.iter(|| {
            out.clear();
            format_double(black_box(123.456_789_012_345), &mut out);
            out.len()
        });
    });
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().without_plots().measurement_time(std::time::Duration::from_secs(2))
        .warm_up_time(std::time::Duration::from_millis(500));
    targets = decode, reply, numbers
}
criterion_main!(all);
