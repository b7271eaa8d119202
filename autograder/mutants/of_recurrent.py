"""Mutants of rnn.py and lstm.py."""

from autograder.mutants.submission import mutants_of

student_rnn, reference_rnn = mutants_of("rnn.py")
student_lstm, reference_lstm = mutants_of("lstm.py")

SOFTMAX_LAYER = '        model.add(tf.keras.layers.Activation("softmax"))\n'
MUTANTS = (
    reference_rnn(
        "rnn-returns-sequences",
        "return_sequences=True: a state for every character",
        ("5.1.1",),
        (
            'SimpleRNN(self.hp["rnn_units"])',
            'SimpleRNN(self.hp["rnn_units"], return_sequences=True)',
        ),
    ),
    student_rnn(
        "rnn-without-softmax",
        "the Activation layer is missing",
        ("5.1.1",),
        (SOFTMAX_LAYER, ""),
    ),
    reference_rnn(
        "rnn-half-the-units",
        "64 units for 128",
        ("5.1.1",),
        ('"rnn_units": 128', '"rnn_units": 64'),
    ),
    reference_rnn(
        "rnn-with-relu",
        "another activation than the layer's default",
        ("5.1.1",),
        ('SimpleRNN(self.hp["rnn_units"])', 'SimpleRNN(self.hp["rnn_units"], activation="relu")'),
    ),
    student_rnn(
        "rnn-embeds-the-window-length",
        "Embedding of max_input_len symbols instead of vocab_size",
        ("5.1.1",),
        ("Embedding(self.vocab_size,", "Embedding(self.max_input_len,"),
    ),
    student_rnn(
        "rnn-is-an-lstm",
        "LSTM layer in rnn.py",
        ("5.1.1",),
        ("tf.keras.layers.SimpleRNN(", "tf.keras.layers.LSTM("),
    ),
    student_rnn(
        "rnn-softmax-inside-dense",
        "Dense(activation) instead of a layer of its own",
        ("5.1.1",),
        (SOFTMAX_LAYER, ""),
        ("Dense(self.vocab_size)", 'Dense(self.vocab_size, activation="softmax")'),
    ),
    reference_lstm(
        "lstm-returns-sequences",
        "return_sequences=True: a state for every character",
        ("5.1.2",),
        ('LSTM(self.hp["lstm_units"])', 'LSTM(self.hp["lstm_units"], return_sequences=True)'),
    ),
    student_lstm(
        "lstm-without-softmax",
        "the Activation layer is missing",
        ("5.1.2",),
        (SOFTMAX_LAYER, ""),
    ),
    reference_lstm(
        "lstm-with-dropout",
        "dropout=0.2 in the recurrent layer",
        ("5.1.2",),
        ('LSTM(self.hp["lstm_units"])', 'LSTM(self.hp["lstm_units"], dropout=0.2)'),
    ),
    student_lstm(
        "lstm-both-ways",
        "Bidirectional round the LSTM",
        ("5.1.2",),
        (
            'tf.keras.layers.LSTM(self.hp["lstm_units"])',
            'tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(self.hp["lstm_units"]))',
        ),
    ),
    student_lstm(
        "lstm-small-embedding",
        "embedding_dim 128 for 256",
        ("5.1.2",),
        ('"embedding_dim": 256', '"embedding_dim": 128'),
    ),
    student_lstm(
        "lstm-predicts-units",
        "Dense of lstm_units instead of vocab_size",
        ("5.1.2",),
        ("Dense(self.vocab_size)", 'Dense(self.hp["lstm_units"])'),
    ),
    student_rnn("right-second-rnn", "no mistake: the second solution as it is", ()),
    student_lstm("right-second-lstm", "no mistake: the second solution as it is", ()),
    reference_rnn("right-reference-rnn", "no mistake: the reference as it is", ()),
    reference_lstm("right-reference-lstm", "no mistake: the reference as it is", ()),
)
