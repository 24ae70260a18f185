"""A network of one's own, with weights that no generator draws."""


def net():
    """Return a network of three tokens a position, and three answers."""
    import torch

    embed, answer = torch.nn.Embedding(3, 4), torch.nn.Linear(4, 3)
    with torch.no_grad():
        embed.weight.copy_(torch.tensor([[1.0, 0.0, -1.0, 0.5], [0.0, 1.0, 0.5, -1.0], [-1.0, 0.5, 1.0, 0.0]]))
        answer.weight.copy_(torch.tensor([[1.0, 0.2, 0.0, 0.1], [0.0, 1.0, 0.3, 0.0], [0.1, 0.0, 1.0, 0.4]]))
        answer.bias.copy_(torch.tensor([0.0, 0.05, -0.05]))
    return torch.nn.Sequential(embed, answer)
