from decimal import Decimal

from fastapi import FastAPI

app = FastAPI()


@app.get("/v1/calc/add")
async def add(x: Decimal, y: Decimal):
    return {"operation": "add", "x": str(x), "y": str(y), "result": str(x + y), "exact": True}
