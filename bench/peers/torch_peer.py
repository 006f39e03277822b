#!/usr/bin/python3
"""PyTorch as a peer of backdag-bench; the protocol stands in peer_problem.h.

torch_peer.py linear | csr | coo | levels
"""
import mmap
import os
import struct
import sys
import time
import warnings

RELU, TANH, IDENTITY, MSE, CLASS_CROSS_ENTROPY = 1, 8, 0, 0, 4
FIELDS = (
    "magic size threads batch vertices inputs outputs edges layers loss target_columns learning_rate "
    "layer_first activation bias source target weight output x targets "
    "result_size y result_loss result_weight result_bias"
).split()


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


try:
    import numpy as np
    import torch
except ImportError as error:
    say("no %s" % error)
    sys.exit(0)


# "Sparse CSR is in beta": the bench's reader has no use for it.
warnings.simplefilter("ignore")


class Problem:
    def __init__(self):
        size = os.fstat(3).st_size
        self.memory = mmap.mmap(3, size, prot=mmap.PROT_READ)
        form = "<" + "".join("d" if name == "learning_rate" else "Q" for name in FIELDS)
        self.__dict__.update(zip(FIELDS, struct.unpack_from(form, self.memory)))
        self.results = mmap.mmap(4, os.fstat(4).st_size)
        self.layer_first = self.array("layer_first", np.uint32, self.layers + 1).astype(np.int64)
        self.activation = self.array("activation", np.uint32, self.vertices)
        self.bias = self.array("bias", np.float32, self.vertices)
        self.source = self.array("source", np.uint32, self.edges).astype(np.int64)
        self.target = self.array("target", np.uint32, self.edges).astype(np.int64)
        self.weight = self.array("weight", np.float32, self.edges)
        self.x = self.array("x", np.float32, self.batch * self.inputs)
        self.targets = self.array("targets", np.float32, self.batch * self.target_columns)

    def array(self, name, kind, count):
        return np.frombuffer(self.memory, kind, count, getattr(self, name)).copy()

    def write(self, offset, values):
        array = np.asarray(values, np.float64).ravel()
        np.frombuffer(self.results, np.float64, array.size, offset)[:] = array


class Layer:
    """Edges from one layer to the next, as places in its matrix [target][source]."""

    def __init__(self, problem, index):
        first = problem.layer_first
        self.inside = np.nonzero(
            (problem.target >= first[index + 1]) & (problem.target < first[index + 2]))[0]
        self.rows = problem.target[self.inside] - first[index + 1]
        self.columns = problem.source[self.inside] - first[index]
        self.shape = (int(first[index + 2] - first[index + 1]),
                      int(first[index + 1] - first[index]))
        if self.columns.size and not (0 <= self.columns.min() and
                                      self.columns.max() < self.shape[1]):
            raise ValueError("an edge skips a layer")
        self.bias = problem.bias[first[index + 1]:first[index + 2]]
        self.relu = problem.activation[first[index + 1]] == RELU
        self.vertices = slice(int(first[index + 1]), int(first[index + 2]))
        values = problem.weight[self.inside]
        # CSR wants its entries by row and column.
        order = np.lexsort((self.columns, self.rows))
        self.inside, self.rows, self.columns = (a[order] for a in
                                                (self.inside, self.rows, self.columns))
        self.values = values[order]


class Peer:
    def __init__(self, problem, kind):
        self.problem, self.kind = problem, kind
        self.layers = [Layer(problem, l) for l in range(problem.layers - 1)]
        self.x = torch.from_numpy(problem.x.reshape(problem.batch, problem.inputs))
        shape = (problem.batch, problem.target_columns)
        self.targets = torch.from_numpy(problem.targets.reshape(shape))
        if problem.loss == CLASS_CROSS_ENTROPY:
            self.targets = self.targets[:, 0].long()
        self.build()

    def loss_of(self, y):
        if self.problem.loss == CLASS_CROSS_ENTROPY:
            return torch.nn.functional.cross_entropy(y, self.targets)
        return torch.nn.functional.mse_loss(y, self.targets)

    def forward(self):
        with torch.no_grad():
            self.y = self.network()

    def both(self):
        for parameter in self.parameters:
            parameter.grad = None
        self.y = self.network()
        self.loss = self.loss_of(self.y)
        self.loss.backward()

    def publish_forward(self):
        self.problem.write(self.problem.y, self.y.detach().numpy())

    def publish_parameters(self, weights, biases):
        p = self.problem
        self.publish_forward()
        p.write(p.result_loss, [self.loss.item()])
        edges, vertices = np.zeros(p.edges), np.zeros(p.vertices)
        for layer, weight, bias in zip(self.layers, weights, biases):
            edges[layer.inside] = weight
            vertices[layer.vertices] = bias.detach().numpy().ravel()
        p.write(p.result_weight, edges)
        p.write(p.result_bias, vertices)


class Linear(Peer):
    phases = ("forward", "both", "step")

    def build(self):
        modules = []
        for layer in self.layers:
            if layer.values.size != layer.shape[0] * layer.shape[1]:
                raise ValueError("not a dense net")
            linear = torch.nn.Linear(layer.shape[1], layer.shape[0])
            with torch.no_grad():
                linear.weight[layer.rows, layer.columns] = torch.from_numpy(layer.values)
                linear.bias[:] = torch.from_numpy(layer.bias)
            modules += [linear, torch.nn.ReLU()] if layer.relu else [linear]
        self.module = torch.nn.Sequential(*modules)
        self.linears = [m for m in modules if isinstance(m, torch.nn.Linear)]
        self.parameters = list(self.module.parameters())
        self.optimizer = torch.optim.SGD(self.parameters, lr=self.problem.learning_rate)

    def network(self):
        return self.module(self.x)

    def step(self):
        self.both()
        self.optimizer.step()

    def dense(self, pick):
        return [pick(m.weight).detach().numpy()[l.rows, l.columns]
                for m, l in zip(self.linears, self.layers)]

    def publish_both(self):
        self.publish_parameters(self.dense(lambda w: w.grad), [m.bias.grad for m in self.linears])

    def publish_step(self):
        self.publish_parameters(self.dense(lambda w: w), [m.bias for m in self.linears])


class Sparse(Peer):
    """Y = W·X with a sparse W; samples are columns."""
    phases = ("forward", "both")

    def build(self):
        self.matrices, self.biases = [], []
        for layer in self.layers:
            places = torch.from_numpy(np.stack((layer.rows, layer.columns)))
            matrix = torch.sparse_coo_tensor(places, torch.from_numpy(layer.values),
                                             layer.shape).coalesce()
            if self.kind == "csr":
                matrix = matrix.to_sparse_csr()
            self.matrices.append(matrix.requires_grad_())
            self.biases.append(torch.from_numpy(layer.bias.copy())[:, None].requires_grad_())
        self.parameters = self.matrices + self.biases
        self.columns = self.x.t().contiguous()

    def network(self):
        a = self.columns
        for layer, matrix, bias in zip(self.layers, self.matrices, self.biases):
            a = bias + matrix @ a if self.kind == "csr" else bias + torch.sparse.mm(matrix, a)
            if layer.relu:
                a = torch.relu(a)
        return a.t()

    def publish_both(self):
        weights = []
        for layer, matrix in zip(self.layers, self.matrices):
            gradient = matrix.grad
            if gradient.layout == torch.sparse_coo:
                gradient = gradient.coalesce()
            weights.append(gradient.values().numpy() if gradient.layout != torch.strided
                           else gradient.numpy()[layer.rows, layer.columns])
        self.publish_parameters(weights, [b.grad for b in self.biases])


class Levels:
    """Any graph: the vertices of a level at once, their rows out of those of all levels before."""
    phases = ("forward",)

    def __init__(self, problem):
        p = self.problem = problem
        source, target, weight = p.source, p.target, p.weight
        level = self.levels(source, target, p.vertices)
        if np.any(p.activation[p.inputs:] != p.activation[p.inputs]):
            raise ValueError("several activations")
        self.tanh = p.activation[p.inputs] == TANH
        vertices = np.lexsort((np.arange(p.vertices), level))
        self.row = np.empty(p.vertices, np.int64)
        self.row[vertices] = np.arange(p.vertices)
        ends = np.searchsorted(level[vertices], np.arange(level.max() + 2))
        to, of = self.row[target], self.row[source]
        order = np.lexsort((of, to))
        to, of, weight = to[order], of[order], weight[order]
        # CSR has no parallel edges: their weights add.
        new = np.nonzero(np.append(True, (np.diff(to) != 0) | (np.diff(of) != 0)))[0]
        to, of, weight = to[new], of[new], np.add.reduceat(weight, new)
        self.rows = torch.zeros(p.vertices, p.batch)
        inputs = torch.from_numpy(p.x.reshape(p.batch, p.inputs)).t()
        self.rows[torch.from_numpy(self.row[:p.inputs])] = inputs
        bias = torch.from_numpy(p.bias[vertices])[:, None]
        self.steps = []
        for first, end in zip(ends[1:-1], ends[2:]):
            inside = slice(*np.searchsorted(to, (first, end)))
            starts = np.searchsorted(to[inside], np.arange(first, end + 1))
            matrix = torch.sparse_csr_tensor(
                torch.from_numpy(starts), torch.from_numpy(of[inside]),
                torch.from_numpy(weight[inside]), (int(end - first), int(first)))
            self.steps.append((int(first), int(end), matrix, bias[first:end]))
        outputs = p.array("output", np.uint32, p.outputs).astype(np.int64)
        self.outputs = torch.from_numpy(self.row[outputs])

    @staticmethod
    def levels(source, target, vertices):
        level = np.zeros(vertices, np.int64)
        by_source = target[np.argsort(source, kind="stable")]
        begin = np.searchsorted(np.sort(source), np.arange(vertices + 1))
        waiting = np.bincount(target, minlength=vertices)
        ready = np.nonzero(waiting == 0)[0]
        while ready.size:
            counts = begin[ready + 1] - begin[ready]
            places = np.repeat(begin[ready] - np.cumsum(counts) + counts, counts)
            reached = by_source[places + np.arange(counts.sum())]
            np.maximum.at(level, reached, np.repeat(level[ready], counts) + 1)
            np.subtract.at(waiting, reached, 1)
            ready = np.unique(reached[waiting[reached] == 0])
        return level

    def forward(self):
        with torch.no_grad():
            for first, end, matrix, bias in self.steps:
                value = bias + matrix @ self.rows[:first]
                self.rows[first:end] = torch.tanh(value) if self.tanh else torch.relu(value)

    def publish_forward(self):
        self.problem.write(self.problem.y, self.rows[self.outputs].t().numpy())


def serve(peer):
    for line in sys.stdin:
        words = line.split()
        if len(words) < 2:
            return
        if words[1] not in peer.phases:
            say("no phase " + words[1])
            continue
        try:
            if words[0] == "check":
                getattr(peer, words[1])()
                getattr(peer, "publish_" + words[1])()
                say("ok")
            else:
                run, count = getattr(peer, words[1]), int(words[2])
                begin = time.perf_counter()
                for _ in range(count):
                    run()
                say("ok %.9g" % (time.perf_counter() - begin))
        except RuntimeError as error:
            say("no " + str(error).splitlines()[0])


def main():
    try:
        problem = Problem()
    except OSError:
        sys.exit("a peer of backdag-bench: it is started by `backdag-bench peers`")
    torch.set_num_threads(problem.threads)
    kind = sys.argv[1] if len(sys.argv) > 1 else "linear"
    try:
        if kind == "levels":
            peer = Levels(problem)
        else:
            peer = Linear(problem, kind) if kind == "linear" else Sparse(problem, kind)
    except (ValueError, RuntimeError) as error:
        say("no " + str(error).splitlines()[0])
        return
    say("ready PyTorch %s, %s, %d threads" % (torch.__version__, kind, torch.get_num_threads()))
    serve(peer)


main()
