"""Share a counter and an array between processes, each begun in another way."""

import multiprocessing
import sys


def add(counter, numbers, place):
    with counter.get_lock():
        counter.value += place
    numbers[place] = place * place


if __name__ == "__main__":
    said = []
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        counter, numbers = context.Value("i", 0), context.Array("i", 4)
        workers = [context.Process(target=add, args=(counter, numbers, place)) for place in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        said.append((method, counter.value, list(numbers), [worker.exitcode for worker in workers]))
    with open(sys.argv[2], "w") as target:
        target.write(repr(said))
