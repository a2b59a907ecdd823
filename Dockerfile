# The product without its own servers' use: give it MEETBOT_DATABASE_URL and MEETBOT_REDIS_URL (see compose.yaml).
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/meetbot
COPY requirements.txt ./
RUN /opt/meetbot/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY meetbot_calendar ./meetbot_calendar
COPY rules ./rules
COPY tenants ./tenants
COPY migrations ./migrations
RUN /opt/meetbot/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index .

FROM python:3.13-slim
RUN useradd --system --home-dir /var/lib/meetbot --create-home meetbot
COPY --from=build /opt/meetbot /opt/meetbot
USER meetbot
WORKDIR /var/lib/meetbot
ENV PATH=/opt/meetbot/bin:$PATH MEETBOT_HOST=0.0.0.0 MEETBOT_DATA_DIR=/var/lib/meetbot/data
VOLUME /var/lib/meetbot/data
EXPOSE 8000
ENTRYPOINT ["meetbot-calendar"]
CMD ["up"]
