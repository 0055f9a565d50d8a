"""Prices, weather and PV forecasts from real services.

The worker process `inputs` speaks HTTP (`worker`); the core holds only the actor that asks it (`actor`, `pace`), the
types between them (`types`) and the parser of prices over MQTT (`price_payload`, `payload_feed`).
"""
