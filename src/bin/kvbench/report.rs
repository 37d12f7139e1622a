//! Numbers for people and for machines, and pictures.

use std::fmt::Write;
use std::path::Path;

use hdrhistogram::Histogram;
use serde_json::json;

use crate::load::{Measured, Slice};
use crate::options::Options;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 60.0;

/// Prints what was measured and draws the pictures that were asked for.
pub fn print(options: &Options, measured: &Measured) -> Result<(), String> {
    let Measured { requests, errors, seconds, latencies, undisturbed, server, own, .. } = measured;
    if *requests == 0 {
        return Err("nothing was answered in the time that counts".to_owned());
    }
    let us = |quantile: f64| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    let (per_s, max_us) = (*requests as f64 / seconds, latencies.max() as f64 / 1000.0);
    let per_request_us = |ns: u64| ns as f64 / 1000.0 / *requests as f64;
    let share = |ns: u64| ns as f64 / 1e9 / seconds;
    let undisturbed = undisturbed.as_ref().filter(|some| !some.is_empty());
    if options.json {
        let server = server.map(|cpu| {
            json!({
                "cpu_us_per_request": per_request_us(cpu.all_ns),
                "first_thread_us_per_request": per_request_us(cpu.first_thread_ns),
                "cores": share(cpu.all_ns),
            })
        });
        let undisturbed = undisturbed.map(|some| {
            let us = |quantile: f64| some.value_at_quantile(quantile) as f64 / 1000.0;
            json!({
                "share": some.len() as f64 / *requests as f64,
                "p50_us": us(0.5), "p99_us": us(0.99), "p999_us": us(0.999), "max_us": some.max() as f64 / 1000.0,
            })
        });
        let object = json!({
            "requests": requests, "errors": errors, "seconds": seconds, "per_second": per_s,
            "p50_us": us(0.5), "p99_us": us(0.99), "p999_us": us(0.999), "max_us": max_us,
            "undisturbed": undisturbed, "server": server, "own_cores": share(own.all_ns),
        });
        println!("{object}");
    } else {
        println!("{per_s:.0} requests a second ({requests} in {seconds:.1} s, {errors} errors)");
        let (p50, p99, p999) = (us(0.5), us(0.99), us(0.999));
        println!("latency in us: p50 {p50:.0}, p99 {p99:.0}, p99.9 {p999:.0}, max {max_us:.0}");
        if let Some(some) = undisturbed {
            let us = |quantile: f64| some.value_at_quantile(quantile) as f64 / 1000.0;
            println!(
                "... of the {:.1} % that did not wait for this tool to get a processor: p50 {:.0}, p99 {:.0}, p99.9 {:.0}, max {:.0}",
                some.len() as f64 / *requests as f64 * 100.0,
                us(0.5),
                us(0.99),
                us(0.999),
                some.max() as f64 / 1000.0
            );
        }
        if let Some(cpu) = server {
            println!(
                "server: {:.2} us of processor time a request ({:.2} of its first thread), {:.2} cores busy",
                per_request_us(cpu.all_ns),
                per_request_us(cpu.first_thread_ns),
                share(cpu.all_ns)
            );
        }
        let busy = share(own.all_ns);
        println!(
            "this tool: {busy:.2} cores busy{}",
            if busy > 0.95 && options.rate.is_none() { ": it may be the limit" } else { "" }
        );
    }
    if let Some(path) = &options.plot {
        save(path, &distribution(latencies))?;
    }
    if let Some(path) = &options.plot_time {
        save(path, &over_time(&measured.slices))?;
    }
    Ok(())
}

fn save(path: &Path, svg: &str) -> Result<(), String> {
    std::fs::write(path, svg).map_err(|error| format!("{}: {error}", path.display()))
}

/// Latency by quantile, both axes logarithmic: each step to the right is a tenth of the requests before.
fn distribution(latencies: &Histogram<u64>) -> String {
    let nines = 5.0;
    let points: Vec<(f64, f64)> = (0..=500)
        .map(|step| {
            let left = f64::from(step) / 500.0 * nines;
            (left / nines, latencies.value_at_quantile(1.0 - 10_f64.powf(-left)) as f64 / 1000.0)
        })
        .collect();
    let labels = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    let marks = labels.iter().enumerate().map(|(at, label)| (at as f64 / nines, (*label).to_owned())).collect();
    picture("latency by share of requests", marks, &[("latency", "#06c", points)])
}

/// Median and maximum of each slice.
fn over_time(slices: &[Slice]) -> String {
    let end_s = slices.last().map_or(1.0, |slice| slice.at_s.max(0.1));
    let line = |of: fn(&Slice) -> u64| -> Vec<(f64, f64)> {
        slices.iter().map(|slice| (slice.at_s / end_s, of(slice) as f64 / 1000.0)).collect()
    };
    let marks = (0..=5).map(|at| (f64::from(at) / 5.0, format!("{:.0} s", end_s * f64::from(at) / 5.0))).collect();
    let lines =
        [("maximum of 100 ms", "#c30", line(|slice| slice.max_ns)), ("median", "#06c", line(|slice| slice.p50_ns))];
    picture("latency over time", marks, &lines)
}

type Line<'a> = (&'a str, &'a str, Vec<(f64, f64)>);

/// Microseconds upwards, from 1 us to 10 s, logarithmic.
fn picture(title: &str, marks: Vec<(f64, String)>, lines: &[Line<'_>]) -> String {
    let decades = 7.0;
    let x = |at: f64| MARGIN + at * (WIDTH - 2.0 * MARGIN);
    let y = |us: f64| HEIGHT - MARGIN - us.max(1.0).log10() / decades * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"30\" font-size=\"16\">{title}</text>\n"
    );
    let mut add = |part: String| writeln!(svg, "{part}").expect("memory takes all");
    let labels = ["1 us", "10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s", "10 s"];
    for (decade, label) in labels.iter().enumerate() {
        let at = y(10_f64.powi(decade as i32));
        add(format!("<line x1=\"{MARGIN}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" stroke=\"#ddd\"/>", WIDTH - MARGIN));
        add(format!("<text x=\"5\" y=\"{}\">{label}</text>", at + 4.0));
    }
    for (at, label) in marks {
        add(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", x(at), HEIGHT - MARGIN + 20.0));
    }
    for (number, (name, color, points)) in lines.iter().enumerate() {
        let path: Vec<String> = points.iter().map(|&(at, us)| format!("{:.1},{:.1}", x(at), y(us))).collect();
        add(format!("<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\"/>", path.join(" ")));
        add(format!("<text x=\"{}\" y=\"{}\" fill=\"{color}\">{name}</text>", WIDTH - 200.0, 30 + 15 * number));
    }
    svg.push_str("</svg>\n");
    svg
}
