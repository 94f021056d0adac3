"""Events of a user's own file, and the loop that trains a user's own network on them."""

import numpy as np
import torch

from cases import users_networks

TRAINING, SAMPLES, STEPS = 120, 160, 20


def bars(path):
    """Events of a bar that moves in one of four directions over a sensor of 12 by 12 pixels; a step is a millisecond."""
    rng = np.random.default_rng(0)
    events, offsets = [], [0]
    for i in range(SAMPLES):
        for step in range(STEPS):
            place = step * 12 // STEPS
            place = 11 - place if i % 2 else place
            for k in np.flatnonzero(rng.random(12) < 0.35).tolist():
                x, y = (place, k) if i % 4 < 2 else (k, place)
                events.append((step * 1000 + 50 * k, x, y, int(rng.integers(2))))
        offsets.append(len(events))
    t, x, y, p = np.array(events).T
    labels, split = np.arange(SAMPLES) % 4, (np.arange(SAMPLES) >= TRAINING).astype(np.int64)
    np.savez(path, t=t, x=x, y=y, p=p, offsets=np.array(offsets), labels=labels, split=split, sensor=np.array([2, 12, 12]))
    rasters = torch.zeros(SAMPLES, STEPS, 2, 12, 12)
    rasters[np.repeat(np.arange(SAMPLES), np.diff(offsets)), t // 1000, p, y, x] = 1
    return rasters, torch.from_numpy(labels)


def fitted(name, rasters, labels):
    """A user's own loop; returns the module and what it classifies right."""
    torch.manual_seed(0)
    net = getattr(users_networks, name)()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(10):
        for batch in torch.randperm(TRAINING).split(30):
            loss = torch.nn.functional.cross_entropy(net(rasters[batch].transpose(0, 1)).sum(0), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    said = net(rasters[TRAINING:].transpose(0, 1)).sum(0).argmax(1)
    return net, float((said == labels[TRAINING:]).float().mean())
