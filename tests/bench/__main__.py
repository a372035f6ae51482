"""All benchmarks, one after another: `make bench`, or `python -P -m tests.bench`."""

from tests.bench import bench_fit, bench_judging, bench_round, bench_sim, bench_wire


def main() -> None:
    """Print the tables."""
    for title, module in (
        ("The aggregator beside two libraries", bench_fit),
        ("The wire beside the libraries under it", bench_wire),
        ("A round of seven processes beside an empty one", bench_round),
        ("Simulated swarms of growing size", bench_sim),
        ("Judging beside one prompt at a time and a full server", bench_judging),
    ):
        print(f"\n== {title}\n", flush=True)
        module.main()


if __name__ == "__main__":
    main()
