# The tap and the loaders, each in its own environment; runs as an unprivileged user.
FROM python:3.13-slim AS build
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY tap_analytics tap_analytics
RUN python -m venv /opt/tap-analytics && /opt/tap-analytics/bin/pip install --no-cache-dir -c constraints.txt .
RUN python -m venv /opt/target-postgres && /opt/target-postgres/bin/pip install --no-cache-dir meltanolabs-target-postgres==0.8.1
RUN python -m venv /opt/target-jsonl && /opt/target-jsonl/bin/pip install --no-cache-dir target-jsonl==0.1.4

FROM python:3.13-slim
COPY --from=build /opt /opt
ENV PATH="/opt/tap-analytics/bin:/opt/target-postgres/bin:/opt/target-jsonl/bin:$PATH" PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 10001 tap
USER tap
WORKDIR /home/tap
ENTRYPOINT ["tap-analytics"]
CMD ["--help"]
