internal import Agent
