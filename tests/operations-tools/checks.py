"""Runs checks, each a function whose name says what holds, and prints a line for each and how many passed."""


def run(name, works):
    failed = 0
    for work in works:
        try:
            work()
        except Exception as error:
            failed += 1
            print(f"FAILED: {work.__name__.replace('_', ' ')}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok: {work.__name__.replace('_', ' ')}", flush=True)
    print(f"{name}: {len(works) - failed} passed, {failed} failed")
    return 1 if failed else 0
