internal import CMnl
