"""A user's own notebook may call the modules the course's way, past utilities/datasets.py."""

import http.server
import os
import threading

import numpy as np
import pandas as pd
import pytest
import requests
import torch
from torchvision.datasets import FashionMNIST

from cnn import CNN
from cnn_image_transformations import (
    create_testing_transformations,
    create_training_transformations,
)
from cnn_trainer import Trainer
from random_forest import RandomForest
from utilities.utils import preprocess_text_data

HEADER = "The Project Gutenberg eBook of Macbeth\r\nAuthor: William Shakespeare\r\n\r\n"
LICENCE = "\r\nSection 1. General Terms of Use\r\n"


@pytest.fixture
def served_text():
    """Return a function that serves bytes under a Content-Type on this machine; gives the URL."""
    servers = []

    def serve(content, content_type):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/1533.txt"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "label", ["text/plain", "text/plain; charset=iso-8859-1", "text/plain; charset=utf-8"]
)
def test_macbeth_fetched_with_requests_gives_the_published_corpus(label, served_text, real_data):
    content = (real_data("macbeth") / "macbeth" / "1533-0.txt").read_bytes()
    page = content[:3] + HEADER.encode() + content[3:] + LICENCE.encode()
    url = served_text(page, label)

    session = requests.Session()
    session.trust_env = False  # no proxy between this machine and itself
    data = preprocess_text_data(session.get(url, timeout=10).text)

    assert len(data["text"]) == 102_188
    assert data["vocab_size"] == 34
    assert data["x"].shape == (102_158, 30)


def test_fashion_mnist_is_trained_on_from_a_folder_named_by_the_user(
    tmp_path, monkeypatch, real_data
):
    home = real_data("fashion_mnist")
    monkeypatch.chdir(tmp_path)
    os.symlink(home, "data")
    trainset = FashionMNIST(root="./data", train=True, transform=create_training_transformations())
    testset = FashionMNIST(root="./data", train=False, transform=create_testing_transformations())
    some = torch.utils.data.Subset(trainset, range(2000))
    few = torch.utils.data.Subset(testset, range(500))

    torch.manual_seed(0)
    trainer = Trainer(CNN(), some, few, num_epochs=2, batch_size=64, init_lr=5e-3)
    trainer.train()

    # 63 steps bring any working training well above the one in ten of guessing
    assert trainer.get_training_history()[3][-1] > 0.4
    loader = torch.utils.data.DataLoader(few, batch_size=100)
    probabilities, predicted, true = trainer.predict(loader)
    assert probabilities.shape == (500, 10)
    assert torch.equal(true, testset.targets[:500])
    assert (predicted == true).float().mean() == pytest.approx(
        trainer.get_training_history()[3][-1]
    )


def test_beans_read_with_pandas_go_into_the_forest_as_they_are(real_data):
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import LabelEncoder

    beans = pd.read_csv(real_data("dry_beans") / "Dry_Bean_Dataset.csv")
    labels = LabelEncoder().fit_transform(beans["Class"])
    features = beans.drop(columns="Class")
    parts = train_test_split(features, labels, test_size=0.33, random_state=42)

    by_frame, by_array = (RandomForest(5, 8, 0.7, random_seed=4641 + 7641) for _ in range(2))
    by_frame.fit(parts[0], parts[2])
    by_array.fit(parts[0].to_numpy(), parts[2])

    assert by_frame.OOB_score(parts[1], parts[3]) == by_array.OOB_score(parts[1].values, parts[3])
    np.testing.assert_array_equal(by_frame.predict(parts[1]), by_array.predict(parts[1].values))


def test_a_model_made_and_trained_in_two_lines_loads_the_weights(capsys, real_data):
    from rnn import RNN

    data = preprocess_text_data(
        (real_data("macbeth") / "macbeth" / "1533-0.txt").read_text(encoding="utf-8")
    )
    rnn_model = RNN(data["vocab_size"], data["sequence_len"])
    rnn_model.train(x=data["x"], y=data["y"], train_from_scratch=False)

    assert capsys.readouterr().out == "Loaded saved RNN model and weights.\n"
    assert len(rnn_model.loss_history["losses"]) == 10


def test_weights_are_looked_for_beside_the_module_from_any_working_directory(tmp_path, monkeypatch):
    """The weights belong to base_sequential_model.py's folder, whatever the working directory."""
    import base_sequential_model
    from lstm import LSTM

    monkeypatch.chdir(tmp_path)
    path = LSTM(34, 30).save_model_path()
    assert os.path.samefile(
        os.path.dirname(path),
        os.path.join(os.path.dirname(base_sequential_model.__file__), "model_weights"),
    )
    monkeypatch.chdir(os.path.dirname(base_sequential_model.__file__))
    assert LSTM(34, 30).save_losses_path() == os.path.join("model_weights", "LSTM_losses.json")
