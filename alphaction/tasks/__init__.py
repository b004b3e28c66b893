"""The rooms joined: model, data and metric of each kind of problem."""
